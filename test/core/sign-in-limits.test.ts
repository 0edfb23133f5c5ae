import { describe, expect, it } from 'vitest'
import { makeSignInLimits, type SignInLimits } from '../../src/core/sign-in-limits.ts'
import { liveHeap } from '../support/heap.ts'
import { refusalError } from '../support/instance.ts'
import { timed } from '../support/timing.ts'
import { verifies } from '../support/verifies.ts'

const account = 'user@example.com'

function limits(options: { remembered?: number; pausing?: number } = {}) {
  const clock = { now: 1_700_000_000_000 }
  const made = makeSignInLimits({ clock: () => clock.now, ...options })
  return { made, clock }
}

const failures = async (made: SignInLimits, count: number, name: string, ip: (n: number) => string) => {
  for (let n = 0; n < count; n++) await made.reserve(name, ip(n))
}

describe('the limits of sign-ins', () => {
  it(`${verifies('gassapi:throttle:account:limit')} R29: 20 failures of an account from an address at once, then one in 3 seconds`, async () => {
    const { made, clock } = limits()
    await failures(made, 20, account, () => '192.0.2.1')
    expect(await refusalError(made.reserve(account, '192.0.2.1'))).toMatchObject({
      code: 'rate_limited',
      retry_after: 3,
    })
    for (const [passed, wait] of [
      [1_000, 2],
      [1_500, 1],
      [499, 1],
    ] as const) {
      clock.now += passed
      expect(await refusalError(made.reserve(account, '192.0.2.1'))).toMatchObject({ retry_after: wait })
    }
    clock.now += 1
    await made.reserve(account, '192.0.2.1')
    expect((await refusalError(made.reserve(account, '192.0.2.1'))).retry_after).toBe(3)
    clock.now += 60_000
    await failures(made, 20, account, () => '192.0.2.1')
    expect((await refusalError(made.reserve(account, '192.0.2.1'))).code).toBe('rate_limited')
  })

  it('R29: an IPv6 address counts as its /64, and another account or address is let in', async () => {
    const { made } = limits()
    await failures(made, 20, account, (n) => `2001:db8:1:2::${n.toString(16)}`)
    expect((await refusalError(made.reserve(account, '2001:db8:1:2:ffff::1'))).code).toBe('rate_limited')
    await made.reserve(account, '2001:db8:1:3::1')
    await made.reserve('other@example.com', '2001:db8:1:2::1')
  })

  it(`${verifies('gassapi:throttle:address:limit')} R29: 100 failures of an address over all accounts, refilled at 100 a minute`, async () => {
    const { made, clock } = limits()
    for (let n = 0; n < 100; n++) await made.reserve(`a${n}@example.com`, '192.0.2.1')
    expect(await refusalError(made.reserve('new@example.com', '192.0.2.1'))).toMatchObject({
      code: 'rate_limited',
      retry_after: 1,
    })
    await made.reserve('new@example.com', '192.0.2.2')
    clock.now += 600
    await made.reserve('new@example.com', '192.0.2.1')
    expect((await refusalError(made.reserve('new@example.com', '192.0.2.1'))).code).toBe('rate_limited')
    clock.now += 60_000
    for (let n = 0; n < 100; n++) await made.reserve(`b${n}@example.com`, '192.0.2.1')
    expect((await refusalError(made.reserve('new@example.com', '192.0.2.1'))).code).toBe('rate_limited')
  })

  it(`${verifies('gassapi:throttle:success:free')} what is given back uses up nothing, in whatever order`, async () => {
    const { made } = limits()
    for (let round = 0; round < 30; round++) {
      const places = await Promise.all(Array.from({ length: 20 }, () => made.reserve(account, '192.0.2.1')))
      for (const giveBack of places) giveBack()
    }
    const [, took] = await timed(() => made.reserve(account, '192.0.2.1'))
    expect(took).toBeLessThan(50)
    await failures(made, 19, account, () => '192.0.2.1')
    expect((await refusalError(made.reserve(account, '192.0.2.1'))).code).toBe('rate_limited')
  })

  it('R29: failures of an account from many addresses pause the next attempt, longer and longer, and refuse none', async () => {
    const { made, clock } = limits()
    const attempt = async (n: number) => (await timed(() => made.reserve(account, `198.51.100.${n}`)))[1]
    for (let n = 0; n < 20; n++) expect(await attempt(n)).toBeLessThan(50)
    const first = await attempt(21)
    for (let n = 22; n < 25; n++) await attempt(n)
    const later = await attempt(26)
    expect(first).toBeGreaterThan(90)
    expect(later).toBeGreaterThan(first + 200)
    const many = Array.from({ length: 200 }, (_, n) => timed(() => made.reserve(account, `203.0.113.${n}`)))
    const longest = Math.max(...(await Promise.all(many)).map(([, took]) => took))
    expect(longest).toBeGreaterThan(2_900)
    expect(longest).toBeLessThan(3_600)
    clock.now += 30 * 3_000 + 3_000
    expect(await attempt(250)).toBeLessThan(50)
  })

  it('R29: no more than so many pause at once; the one that has paused longest goes on', async () => {
    const { made } = limits({ pausing: 10 })
    await failures(made, 20, account, (n) => `198.51.100.${n}`)
    const over: number[] = []
    const all = Array.from({ length: 60 }, (_, n) =>
      made.reserve(account, `203.0.113.${n}`).then(() => over.push(n)),
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(over).toEqual(Array.from({ length: 50 }, (_, n) => n))
    await Promise.all(all)
  })

  it('R29: 100,000 made-up accounts and addresses cost at most 20 MiB, and a genuine one among them is let in', async () => {
    const { made } = limits()
    const before = liveHeap()
    for (let n = 0; n < 100_000; n++) {
      await made.reserve(`${n}@example.com${'x'.repeat(1_000)}`, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
      if (n % 100 === 0) (await made.reserve(account, '192.0.2.1'))()
    }
    expect(liveHeap() - before).toBeLessThan(20 * 1024 * 1024)
  })

  it('R29: a clock that was put back neither opens places nor closes them for longer', async () => {
    const { made, clock } = limits()
    await failures(made, 20, account, () => '192.0.2.1')
    clock.now -= 3_600_000
    expect((await refusalError(made.reserve(account, '192.0.2.1'))).retry_after).toBe(3)
    clock.now += 3_000
    await made.reserve(account, '192.0.2.1')
    expect((await refusalError(made.reserve(account, '192.0.2.1'))).retry_after).toBe(3)
  })

  it('R29: of those remembered the oldest goes first', async () => {
    const { made } = limits({ remembered: 30 })
    await failures(made, 20, account, () => '192.0.2.1')
    await failures(made, 5, 'b@example.com', () => '192.0.2.2')
    expect((await refusalError(made.reserve(account, '192.0.2.1'))).code).toBe('rate_limited')
    for (let n = 0; n < 10; n++) await made.reserve(`c${n}@example.com`, `198.51.100.${n}`)
    await made.reserve(account, '192.0.2.1')
  })
})
