import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database } from '../../support/databases.ts'
import { median, timed } from '../../support/timing.ts'
import { verifies } from '../../support/verifies.ts'
import { openWorld, refused, told, type World } from './world.ts'

const login = [401, told.login, 'Bearer', null, null]
const limited = (seconds: string) => [429, told.limited, null, null, seconds]

describe('the limits of the public route', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
    await world.person('other@example.com')
  })
  afterAll(() => world.close())

  const fail = (from: string, email = world.email) => world.generate({ email, password: 'wrong' }, { from })
  /** Failures one after the other, none of them limited. */
  const failures = async (count: number, from: (n: number) => string, email?: (n: number) => string) => {
    for (let n = 0; n < count; n++) expect(refused(await fail(from(n), email?.(n)))).toEqual(login)
  }

  it(`${verifies('gassapi:throttle:account:limit', 'gassapi:throttle:success:free')} R29: 20 failures of an e-mail from an address come at once, then one slot opens every 3 seconds`, async () => {
    const from = '192.0.2.1'
    for (let n = 0; n < 22; n++) expect((await world.generate({}, { from })).status).toBe(201)
    for (let n = 0; n < 3; n++)
      expect((await world.generate({ project_id: 'proj_none' }, { from })).status).toBe(403)
    await failures(20, () => from)
    const [answer, took] = await timed(() => world.generate({}, { from }))
    expect(refused(answer)).toEqual(limited('3'))
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    // Before the password is looked at, which takes tens of milliseconds.
    const fast = Math.min(
      took,
      ...(await Promise.all([1, 2, 3].map(async () => (await timed(() => fail(from)))[1]))),
    )
    expect(fast).toBeLessThan((await timed(() => world.generate({}, { from: '192.0.2.2' })))[1])
    expect(refused(await world.generate({ email: 'USER@example.com' }, { from }))).toEqual(limited('3'))
    expect((await world.generate({ email: 'other@example.com' }, { from })).status).toBe(201)
    for (const [passed, wait] of [
      [1_000, '2'],
      [1_500, '1'],
    ] as const) {
      world.clock.pass(passed)
      expect(refused(await world.generate({}, { from }))).toEqual(limited(wait))
    }
    world.clock.pass(500)
    expect((await world.generate({}, { from })).status).toBe(201)
    await failures(1, () => from)
    expect(refused(await fail(from))).toEqual(limited('3'))
    world.clock.pass(300_000)
  })

  it(`${verifies('gassapi:throttle:account:limit', 'gassapi:throttle:answer:constant')} it is the same for an account that there is not, and all addresses of a /64 are one`, async () => {
    const from = (n: number) => `2001:db8:1:2::${n.toString(16)}`
    await failures(20, from, () => 'Nobody@example.com')
    const unknown = await fail('2001:db8:1:2:ffff::1', 'nobody@EXAMPLE.com')
    await failures(20, from)
    const known = await world.generate({}, { from: '2001:db8:1:2:ffff::1' })
    expect([refused(unknown), refused(known)]).toEqual([limited('3'), limited('3')])
    expect((await world.generate({}, { from: '2001:db8:1:3::1' })).status).toBe(201)
    world.clock.pass(300_000)
  })

  it(`${verifies('gassapi:throttle:address:limit', 'gassapi:throttle:answer:constant')} R29: 100 failures of an address over all accounts come at once, then 100 a minute`, async () => {
    const from = '192.0.2.3'
    await failures(
      100,
      () => from,
      (n) => `a${n}@example.com`,
    )
    expect(refused(await world.generate({}, { from }))).toEqual(limited('1'))
    expect(refused(await fail(from, 'nobody@example.com'))).toEqual(limited('1'))
    expect((await world.generate({}, { from: '192.0.2.4' })).status).toBe(201)
    world.clock.pass(600)
    expect((await world.generate({}, { from })).status).toBe(201)
    world.clock.pass(300_000)
  }, 60_000)

  it(`${verifies('gassapi:throttle:account:delay-not-lockout')} R29: failures for an e-mail from other addresses make a right login wait, at most 3 seconds, and refuse none`, async () => {
    let [round, failed] = [0, 0]
    /** Failures until there are so many; a slow machine turns some away before they are any. */
    const storm = async (until: number) => {
      for (; failed < until; round++) {
        const all = await Promise.all(Array.from({ length: 13 }, (_, n) => fail(`198.51.${round}.${n}`)))
        failed += all.filter(({ status }) => status === 401).length
      }
    }
    await storm(24)
    const early = await timed(() => world.generate({}, { from: '192.0.2.5' }))
    await storm(54)
    const late = await timed(() => world.generate({}, { from: '192.0.2.6' }))
    const other = await timed(() => world.generate({ email: 'other@example.com' }, { from: '192.0.2.7' }))
    expect([early, late, other].map(([{ status }]) => status)).toEqual([201, 201, 201])
    expect(late[1]).toBeGreaterThan(early[1] + 1_000)
    expect(late[1]).toBeLessThan(3_000 + other[1] + 1_500)
    expect(other[1]).toBeLessThan(late[1] - 1_000)
    world.clock.pass(300_000)
  }, 60_000)

  it(`${verifies('gassapi:throttle:work:gate', 'gassapi:throttle:answer:constant')} R48: of 40 logins at once those without a place are told to come again in a second, at once, and other routes stay responsive`, async () => {
    const { secret } = await world.make()
    const started = performance.now()
    const logins = Array.from({ length: 40 }, async (_, n) => {
      const answer = await fail(`203.0.113.${n}`, `b${n}@example.com`)
      return { answer, at: performance.now() - started }
    })
    let over = false
    const done = Promise.all(logins).finally(() => {
      over = true
    })
    const waits: number[] = []
    while (!over) {
      const [answer, took] = await timed(() => world.validate(secret))
      expect(answer.status).toBe(200)
      waits.push(took)
    }
    const all = await done
    const looked = all.filter(({ answer }) => answer.status === 401)
    const turned = all.filter(({ answer }) => answer.status === 429)
    expect(looked.length + turned.length).toBe(40)
    // One at work and 16 in the line, and whoever came when one of those had been served.
    expect(looked.length).toBeLessThan(25)
    for (const { answer } of turned) expect(refused(answer)).toEqual(limited('1'))
    expect(median(turned.map(({ at }) => at))).toBeLessThan(median(looked.map(({ at }) => at)))
    expect(median(waits)).toBeLessThan(Math.max(...looked.map(({ at }) => at)) / 4)
  })
})

describe('the address of whoever logs in', () => {
  it(`${verifies('gassapi:throttle:address:proxy')} R27: is taken from X-Forwarded-For only where that proxy is trusted, and then the nearest hop that is none counts`, async () => {
    const straight = await openWorld(database('sqlite'), { trustedProxies: ['192.0.2.200'] })
    for (let n = 0; n < 20; n++) await straight.generate({ password: 'wrong' }, { from: `198.51.100.${n}` })
    expect(refused(await straight.generate({}, { from: '198.51.100.99' }))).toEqual(limited('3'))
    await straight.close()

    const behind = await openWorld(database('sqlite'), { trustedProxies: ['127.0.0.1', '192.0.2.200'] })
    for (let n = 0; n < 20; n++) {
      // What stands left of the nearest hop was written by the client itself.
      const from = `198.51.100.${n}, 203.0.113.7, 192.0.2.200`
      expect((await behind.generate({ password: 'wrong' }, { from })).status).toBe(401)
    }
    expect(refused(await behind.generate({}, { from: '203.0.113.7' }))).toEqual(limited('3'))
    expect((await behind.generate({}, { from: '203.0.113.8' })).status).toBe(201)
    await behind.close()
  })
})
