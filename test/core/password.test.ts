import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { hash } from 'argon2'
import { describe, expect, it } from 'vitest'
import { makeGate } from '../../src/core/gate.ts'
import { hashPassword, verifyPassword } from '../../src/core/password.ts'
import { refusalError } from '../support/instance.ts'
import { median, timed } from '../support/timing.ts'

const password = 'correct horse battery staple'
const planted = (params: string) => `$argon2id$v=19$${params}$${'A'.repeat(22)}$${'A'.repeat(43)}`

describe('a password', () => {
  it('is right for its own digest and for no other', async () => {
    const [mine, others] = [await hashPassword(password), await hashPassword('another password')]
    expect(await verifyPassword(mine, password)).toBe(true)
    expect(await verifyPassword(others, password)).toBe(false)
    for (const wrong of ['', `${password} `, password.toUpperCase(), `${password}\0`]) {
      expect(await verifyPassword(mine, wrong)).toBe(false)
    }
  })

  it('R31: half a character is right for no digest, also not for that of its replacement', async () => {
    const digest = await hash('long enough \ufffd', { memoryCost: 64, timeCost: 1, parallelism: 1 })
    expect(await verifyPassword(digest, 'long enough \ufffd')).toBe(true)
    expect(await verifyPassword(digest, 'long enough \ud800')).toBe(false)
  })

  it('R48: of more than 1,024 bytes is wrong, also where a digest of it was planted', async () => {
    const cheap = (text: string) => hash(text, { memoryCost: 64, timeCost: 1, parallelism: 1 })
    const [most, more] = ['é'.repeat(512), `${'é'.repeat(512)}x`]
    expect(await verifyPassword(await cheap(most), most)).toBe(true)
    expect(await verifyPassword(await cheap(more), more)).toBe(false)
  })

  it('R6: a planted digest that is empty, malformed or costs too much is a wrong one, at once and without its memory', async () => {
    await verifyPassword(null, password)
    const before = process.memoryUsage().rss
    for (const digest of ['', 'x', planted('m=1048576,t=8,p=1'), planted('m=19456,t=1000000,p=1')]) {
      const [right, took] = await timed(() => verifyPassword(digest, password))
      expect([digest, right]).toEqual([digest, false])
      expect(took).toBeLessThan(1_000)
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024)
  })

  it('R31: every refusal costs one computation, and the same one', async () => {
    const digest = await hashPassword(password)
    const ways: Record<string, () => Promise<boolean>> = {
      wrong: () => verifyPassword(digest, 'wrong'),
      nobody: () => verifyPassword(null, password),
      malformed: () => verifyPassword('x', password),
      'out of bounds': () => verifyPassword(planted('m=1048576,t=8,p=1'), password),
      'too long': () => verifyPassword(digest, 'x'.repeat(20_000)),
      'half a character': () => verifyPassword(digest, '\ud800'),
    }
    const measured = async () => {
      const times = Object.fromEntries(Object.keys(ways).map((way) => [way, [] as number[]]))
      for (let round = 0; round < 15; round++) {
        for (const [way, refuse] of Object.entries(ways)) times[way]?.push((await timed(refuse))[1])
      }
      const wrong = median(times['wrong'] ?? [])
      return Object.entries(times).map(([way, some]) => ({ way, ratio: median(some) / wrong }))
    }
    let apart: { way: string; ratio: number }[] = []
    // Up to three times, because other processes of the run share the cores: a way that really costs less differs each time.
    for (let attempt = 0; attempt < 3; attempt++) {
      apart = (await measured()).filter(({ ratio }) => ratio <= 0.8 || ratio >= 1.25)
      if (apart.length === 0) break
    }
    expect(apart).toEqual([])
  })

  it('R51: without argon2 everything is loaded, and the first password is refused with a sentence that names it', () => {
    const hook = `export async function resolve(name, context, next) {
      if (name === 'argon2') throw new Error('no such module')
      return next(name, context)
    }`
    const script = `
      import { register } from 'node:module'
      register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}))
      await import('./tools/index.ts')
      const { verifyPassword } = await import('./src/core/password.ts')
      await verifyPassword(null, 'x').catch(({ code, message }) => console.log(code, message))`
    const flags = ['--import', 'tsx', '--input-type=module', '-e', script]
    const root = new URL('../..', import.meta.url).pathname
    const told = execFileSync(process.execPath, flags, { cwd: root, encoding: 'utf8' })
    expect(told).toMatch(/^unsupported Passwords do not work here: argon2 .* npm rebuild argon2\n$/)
  })

  it('R48: of 50 checks at once one runs, 16 wait and the others are told at once to come again; files are read meanwhile', async () => {
    let done = 0
    const checks = Array.from({ length: 50 }, () => verifyPassword(null, password).finally(() => done++))
    const results = Promise.allSettled(checks)
    await new Promise((resolve) => setImmediate(resolve))
    expect(done).toBe(33)
    await readFile(new URL(import.meta.url))
    // The thread pool has room beside the one computation: the read does not queue behind all of them.
    expect(done).toBeLessThan(33 + 10)
    const refused = (await results).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(refused).toHaveLength(33)
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'rate_limited', reason: 'gate', retry_after: 1 })
    }
  })
})

describe('the gate', () => {
  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

  it('R48: lets one piece of work run at a time, in the order they came', async () => {
    const gate = makeGate({ waiting: 16, patience: 1_000 })
    const seen: string[] = []
    await Promise.all(
      [1, 2, 3].map((n) =>
        gate(async () => {
          seen.push(`start ${n}`)
          await pause(5)
          seen.push(`end ${n}`)
        }),
      ),
    )
    expect(seen).toEqual(['start 1', 'end 1', 'start 2', 'end 2', 'start 3', 'end 3'])
  })

  it('R48: whoever has waited too long is refused, and those behind keep their turn', async () => {
    const gate = makeGate({ waiting: 2, patience: 200 })
    const slow = gate(() => pause(300))
    const second = refusalError(gate(async () => 'second'))
    await pause(150)
    const third = gate(async () => 'third')
    expect(await refusalError(gate(async () => 'fourth'))).toMatchObject({ reason: 'gate' })
    expect(await second).toMatchObject({ code: 'rate_limited', reason: 'gate', retry_after: 1 })
    await slow
    expect(await third).toBe('third')
    expect(await gate(async () => 'later')).toBe('later')
  })

  it('R48: work that fails gives its turn away as well', async () => {
    const gate = makeGate({ waiting: 16, patience: 1_000 })
    const failed = gate(async () => {
      throw new Error('failed')
    })
    const next = gate(async () => 'next')
    await expect(failed).rejects.toThrow('failed')
    expect(await next).toBe('next')
  })
})
