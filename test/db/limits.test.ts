import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isUnavailable } from '../../db/errors.ts'
import type { NewToken } from '../../db/schema.ts'
import { openApp } from '../../src/app.ts'
import { makeLog } from '../../src/log.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { startChild } from '../support/processes.ts'
import { plantKey } from '../support/world.ts'

const minute: Partial<NewToken> = { limit_requests: 3, limit_seconds: 60 }

describe.each(databases)('limits of a token on $name', (kind) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(kind)
  })
  afterAll(() => instance.close())

  const limited = (columns: Partial<NewToken>) => plantKey(instance, 'access', columns)
  const use = (secret: string) => instance.core.verifier.verify(secret, {}, { count: true })
  const counts = (id: string) =>
    instance.core.store.read
      .selectFrom('token_limits')
      .selectAll()
      .where('token_id', '=', id)
      .executeTakeFirst()
  /** Moves the clock to the first ms of a window of that many seconds. */
  const toWindow = (seconds: number) => {
    const length = seconds * 1_000
    instance.clock.now = (Math.floor(instance.clock.now / length) + 1) * length
  }

  it('so many requests are let through in a window, each counted once, then none until the next window', async () => {
    const { id, secret } = await limited(minute)
    toWindow(60)
    const start = instance.clock.now
    for (const remaining of [2, 1, 0]) {
      const limit = { reached: false, limit: 3, remaining, reset: 60, retry_after: null }
      expect(await use(secret)).toMatchObject({ verdict: 'valid', limit })
    }
    instance.clock.pass(20_000)
    for (let n = 0; n < 2; n++) {
      const limit = { reached: true, limit: 3, remaining: 0, reset: 40, retry_after: 40 }
      expect(await use(secret)).toMatchObject({ verdict: 'limit_reached', limit })
    }
    expect(await counts(id)).toEqual({ token_id: id, window_start: start, window_count: 3, uses: 3 })
    instance.clock.pass(40_000)
    expect(await use(secret)).toMatchObject({ verdict: 'valid', limit: { remaining: 2, reset: 60 } })
    expect(await counts(id)).toEqual({ token_id: id, window_start: start + 60_000, window_count: 1, uses: 4 })
  })

  it('max_uses uses are let through and no more, ever, alone and beside a window', async () => {
    for (const columns of [{ max_uses: 2 }, { max_uses: 2, limit_requests: 50, limit_seconds: 1 }]) {
      const { secret } = await limited(columns)
      expect((await use(secret)).verdict).toBe('valid')
      expect((await use(secret)).verdict).toBe('valid')
      for (let n = 0; n < 3; n++) {
        instance.clock.pass(86_400_000)
        const { verdict, limit } = await use(secret)
        expect([verdict, limit]).toEqual([
          'limit_reached',
          { reached: true, limit: 2, remaining: 0, reset: null, retry_after: null },
        ])
      }
    }
  })

  it('a refused request is counted neither against the window nor as a use of the token', async () => {
    const { id, secret } = await limited(minute)
    toWindow(60)
    for (let n = 0; n < 8; n++) await use(secret)
    await instance.core.uses.flush()
    const { use_count } = await instance.core.store.read
      .selectFrom('tokens')
      .select('use_count')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    expect([use_count, (await counts(id))?.uses]).toEqual([3, 3])
  })

  it('what fails another check, or only looks, counts nothing', async () => {
    const { id, secret } = await limited({ ...minute, allowed_ips: '["10.0.0.1"]' })
    const { verify, inspect } = instance.core.verifier
    expect((await verify(secret, { ip: '10.0.0.2' }, { count: true })).verdict).toBe('ip_not_allowed')
    expect((await verify(secret, { server: 'none' }, { count: true })).verdict).toBe('server_not_in_scope')
    expect(await verify(secret, {})).toMatchObject({ verdict: 'valid' })
    expect((await verify(secret, {})).limit).toBeUndefined()
    expect(await inspect(id, {})).toMatchObject({ verdict: 'valid', limit: { remaining: 3 } })
    expect((await verify(secret, {}, { count: true, within: { token_id: 'other' } })).verdict).toBe('unknown')
    expect(await counts(id)).toBeUndefined()
  })

  it('an inspection tells that the limit would be reached, and counts nothing', async () => {
    const { id, secret } = await limited({ max_uses: 1 })
    await use(secret)
    for (let n = 0; n < 2; n++)
      expect(await instance.core.verifier.inspect(id, {})).toMatchObject({
        verdict: 'limit_reached',
        limit: { reached: true, limit: 1, remaining: 0 },
      })
    expect((await counts(id))?.uses).toBe(1)
  })

  it('the secret that was replaced and its successor count against the same limits', async () => {
    const { id, secret } = await limited(minute)
    toWindow(60)
    await use(secret)

    const { delivery } = await instance.call('operator', rotate_token, { token_id: id, grace_seconds: 600 })
    const successor = delivery.secret ?? ''
    const seen = [await use(secret), await use(successor), await use(secret), await use(successor)]
    expect(seen.map((one) => [one.verdict, one.predecessor])).toEqual([
      ['valid', true],
      ['valid', false],
      ['limit_reached', true],
      ['limit_reached', false],
    ])
  })

  it('a token without limits is not counted, and no row is written for it', async () => {
    const { id, secret } = await limited({})
    expect((await use(secret)).limit).toBeUndefined()
    expect(await counts(id)).toBeUndefined()
  })

  it('a node whose clock is behind counts into the window the others have begun, and never begins an old one anew', async () => {
    const { id, secret } = await limited(minute)
    const { dataDir, location } = instance.place
    const behind = await openApp({
      dataDir,
      location,
      serving: true,
      log: makeLog('silent'),
      clock: () => instance.clock.now - 90_000,
    })
    toWindow(60)
    const start = instance.clock.now
    const late = () => behind.core.verifier.verify(secret, {}, { count: true })
    expect((await use(secret)).limit).toMatchObject({ remaining: 2, reset: 60 })
    expect((await late()).limit).toMatchObject({ remaining: 1, reset: 150 })
    expect((await use(secret)).limit).toMatchObject({ remaining: 0 })
    expect((await late()).limit).toMatchObject({ reached: true, retry_after: 150 })
    expect((await use(secret)).verdict).toBe('limit_reached')
    expect(await counts(id)).toMatchObject({ window_start: start, window_count: 3 })
    await behind.close()
  })

  it.each([
    ['a window', { limit_requests: 50, limit_seconds: 86_400 }],
    ['max_uses', { max_uses: 50 }],
    ['both', { limit_requests: 70, limit_seconds: 86_400, max_uses: 50 }],
  ])(
    'of 4 processes with 200 uses each at once exactly 50 get through %s of 50',
    async (_, columns) => {
      const { id, secret } = await limited(columns)
      const children = Array.from({ length: 4 }, () =>
        startChild({ work: 'count', ...instance.place, secret, times: 200 }),
      )
      await Promise.all(children.map((child) => child.says((line) => 'ready' in line)))
      for (const child of children) child.tell('go')
      const seen = await Promise.all(children.map((child) => child.says((line) => 'valid' in line)))
      expect(await Promise.all(children.map((child) => child.ended))).toEqual([0, 0, 0, 0])
      const sum = (name: string) => seen.reduce((all, one) => all + Number(one[name]), 0)
      expect([sum('valid'), sum('limit_reached')]).toEqual([50, 750])
      expect((await counts(id))?.uses).toBe(50)
    },
    60_000,
  )

  it('R55, R18: where the count cannot be stored nothing is let through: the caller learns that the store is not there', async () => {
    const { secret } = await limited({ max_uses: 5 })
    const set = (schema_version: number) =>
      instance.core.store.write((db) => db.updateTable('audit_head').set({ schema_version }).execute())
    const { schema_version } = await instance.core.store.read
      .selectFrom('audit_head')
      .select('schema_version')
      .executeTakeFirstOrThrow()
    expect((await use(secret)).verdict).toBe('valid')
    await set(99)
    const [inserting, updating] = [await limited({ max_uses: 5 }), { secret }]
    for (const one of [inserting, updating]) {
      const fault = await use(one.secret).catch((error: unknown) => error)
      expect([isUnavailable(fault), String(fault)]).toEqual([
        true,
        expect.stringContaining('schema version 99'),
      ])
    }
    await set(schema_version)
    expect((await use(secret)).limit?.remaining).toBe(3)
  })
})
