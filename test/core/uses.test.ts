import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type App, openApp } from '../../src/app.ts'
import { makeLog } from '../../src/log.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { startChild } from '../support/processes.ts'
import { makeToken, plantKey } from '../support/world.ts'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(databases)('uses of tokens on $name', (kind) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(kind)
  })
  afterAll(() => instance.close())

  const use = async (secret: string, ip = '192.0.2.1', { core }: Pick<App, 'core'> = instance) => {
    instance.clock.pass(1_000)
    expect((await core.verifier.verify(secret, { ip })).verdict).toBe('valid')
    return new Date(instance.clock.now).toISOString()
  }
  const rotate = async (token_id: string) =>
    (await instance.call('operator', rotate_token, { token_id, grace_seconds: 86_400 })).delivery.secret ?? ''
  const shown = async (token_id: string) => {
    await instance.core.uses.flush()
    return (await instance.call('reader', get_token, { token_id })).token
  }
  /** Another node on the same store, with the clock of the first. */
  const another = () =>
    openApp({
      dataDir: instance.place.dataDir,
      location: instance.place.location,
      serving: true,
      log: makeLog('silent'),
      clock: () => instance.clock.now,
    })

  it('a token that was never used has no generations to show', async () => {
    const { id } = await makeToken(instance)
    expect(await shown(id)).toMatchObject({ use_count: 0, generations: [] })
  })

  it('each secret has its own count, times and last address; what the predecessor is used for in its grace is of its own generation', async () => {
    const { id, secret } = await makeToken(instance)
    const first = await use(secret, '192.0.2.1')
    await use(secret, '192.0.2.2')
    const next = await rotate(id)
    const began = await use(next, '192.0.2.3')
    const last = await use(secret, '192.0.2.4')
    const ended = await use(next, '192.0.2.5')
    expect(await shown(id)).toMatchObject({
      use_count: 5,
      last_used_at: ended,
      last_used_ip: '192.0.2.5',
      predecessor: { last_used_at: last },
      generations: [
        { generation: 2, first_used_at: began, last_used_at: ended, last_used_ip: '192.0.2.5', use_count: 2 },
        { generation: 1, first_used_at: first, last_used_at: last, last_used_ip: '192.0.2.4', use_count: 3 },
      ],
    })
  })

  it('a use that is stored after a rotation belongs to the secret that was used', async () => {
    const { id, secret } = await makeToken(instance)
    await use(secret)
    await instance.core.uses.flush()
    await use(secret)
    await rotate(id)
    const { generations } = await shown(id)
    expect(generations).toMatchObject([{ generation: 1, use_count: 2 }])
  })

  it('the latest 10 secrets are shown, newest first', async () => {
    const { id, secret } = await makeToken(instance)
    let current = secret
    for (let n = 0; n < 12; n++) {
      await use(current)
      current = await rotate(id)
    }
    const { generations, use_count } = await shown(id)
    expect(generations.map(({ generation }) => generation)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3])
    expect(use_count).toBe(12)
  })

  it('what nodes store at once adds up: neither takes back what the other stored', async () => {
    const { id, secret } = await makeToken(instance)
    const other = await another()
    const first = await use(secret, '192.0.2.1', other)
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 10; n++) {
        await use(secret, '192.0.2.1', other)
        await use(secret, '192.0.2.2')
      }
      await Promise.all([other.core.uses.flush(), instance.core.uses.flush()])
    }
    const late = await use(secret, '192.0.2.3')
    await instance.core.uses.flush()
    // Of a node that stores last what it saw earlier, the count is added and the time is not taken.
    const before = instance.clock.now
    instance.clock.now = Date.parse(late) - 500_000
    await use(secret, '192.0.2.4', other)
    instance.clock.now = before
    await other.close()
    const { generations, ...token } = await shown(id)
    const known = { last_used_at: late, last_used_ip: '192.0.2.3', use_count: 103 }
    expect(token).toMatchObject(known)
    expect(generations).toHaveLength(1)
    expect(generations[0]).toMatchObject({ ...known, generation: 1 })
    expect(Date.parse(generations[0]?.first_used_at ?? '')).toBeLessThan(Date.parse(first))
  })

  it('a token that is gone when its uses are stored takes nothing down with it', async () => {
    const gone = await makeToken(instance)
    const { id, secret } = await makeToken(instance)
    await use(gone.secret)
    await use(secret)
    await instance.core.uses.flush()
    await use(gone.secret)
    await use(secret)
    await instance.core.store.write(async (db) => {
      await db.deleteFrom('token_uses').where('token_id', '=', gone.id).execute()
      await db.deleteFrom('tokens').where('id', '=', gone.id).execute()
    })
    expect((await shown(id)).use_count).toBe(2)
    expect(instance.log.filter((line) => line.includes('"level":50'))).toEqual([])
  })

  it('a process that is killed loses the uses of one flush interval at most, and no count against a limit', async () => {
    const { id, secret } = await plantKey(instance, 'access', { max_uses: 1_000_000 })
    const flushEvery = 500
    const child = startChild({ work: 'use', ...instance.place, secret, flushEvery })
    await child.says((line) => 'used' in line)
    await pause(3_000)
    const killed = Date.now()
    await child.kill()
    const said = child.said as unknown as { used: number; verdict: string; at: number }[]
    expect(said.every(({ verdict }) => verdict === 'valid')).toBe(true)
    const { uses } = await instance.core.store.read
      .selectFrom('token_limits')
      .select('uses')
      .where('token_id', '=', id)
      .executeTakeFirstOrThrow()
    // The last use may have been counted and not yet been told of.
    expect([said.length, said.length + 1]).toContain(uses)
    const { use_count, generations } = await shown(id)
    // A flush takes its time, too.
    const stored = said.filter(({ at }) => at < killed - flushEvery - 1_000).length
    expect(stored).toBeGreaterThan(20)
    expect(use_count).toBeGreaterThanOrEqual(stored)
    expect(use_count).toBeLessThanOrEqual(uses)
    expect(generations).toMatchObject([{ generation: 1, use_count }])
  }, 30_000)
})
