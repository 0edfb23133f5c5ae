import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as audit from '../../db/audit.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { database, databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { watchLoops } from '../support/loops.ts'
import { type Child, startChild } from '../support/processes.ts'
import { makeToken, plantKey } from '../support/world.ts'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The value that 99 of 100 do not exceed. */
function p99(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0
}

describe.each(databases)('many at once on $name', (kind) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(kind)
  })
  afterAll(() => instance.close())
  const verdict = async (secret: string) => (await instance.core.verifier.verify(secret, {})).verdict

  it('50 creates and 50 rotations at once all happen, each with its own id and row, in the order of their ids', async () => {
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, n) => makeToken(instance, { name: `at once ${n}` })),
    )
    const turned = await Promise.all(
      made.map(({ id }) => instance.call('operator', rotate_token, { token_id: id })),
    )
    expect(new Set(made.map(({ id }) => id)).size).toBe(50)
    for (const [n, { token, delivery }] of turned.entries()) {
      expect(token).toMatchObject({ id: made[n]?.id, name: `at once ${n}`, generation: 2 })
      expect(await verdict(delivery.secret ?? '')).toBe('valid')
      expect(await verdict(made[n]?.secret ?? '')).toBe('unknown')
    }
    const rows = await instance.core.store.read
      .selectFrom('audit')
      .select(['seq', 'target_id'])
      .where('action', '=', 'create_token')
      .orderBy('seq')
      .execute()
    expect(rows.map((row) => row.target_id)).toEqual(rows.map((row) => row.target_id).sort())
    expect(
      (await audit.verifyChain(instance.core.store.read, instance.core.keys.audit)).first_bad_seq,
    ).toBeNull()
  })

  it('two changes of one token at once are both there, and none is lost', async () => {
    const { id } = await makeToken(instance)
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        instance.call(
          'operator',
          update_token,
          n % 2 ? { token_id: id, name: 'by one' } : { token_id: id, description: 'by another' },
        ),
      ),
    )
    expect((await instance.call('reader', get_token, { token_id: id })).token).toMatchObject({
      name: 'by one',
      description: 'by another',
    })
  })

  it('R44: 4 processes with 200 rotations each of one token: every success is a generation of its own, valid until replaced', async () => {
    const { id } = await makeToken(instance)
    const children = Array.from({ length: 4 }, () =>
      startChild({ work: 'rotate', ...instance.place, id, times: 200 }),
    )
    await Promise.all(children.map((child) => child.says((line) => 'ready' in line)))
    for (const child of children) child.tell('go')
    const seen = await Promise.all(children.map((child) => child.says((line) => 'won' in line)))
    expect(await Promise.all(children.map((child) => child.ended))).toEqual([0, 0, 0, 0])
    const won = seen.flatMap((one) => one['won'] as { generation: number; secret: string }[])
    const conflicts = seen.reduce((sum, one) => sum + Number(one['conflicts']), 0)
    expect(seen.reduce((sum, one) => sum + Number(one['dead']), 0)).toBe(0)
    expect(won.length + conflicts).toBe(800)
    expect(won.length).toBeGreaterThan(100)
    const generations = won.map((one) => one.generation).sort((a, b) => a - b)
    expect(generations).toEqual(Array.from({ length: won.length }, (_, n) => n + 2))
    const last = won.find((one) => one.generation === won.length + 1)
    expect(await verdict(last?.secret ?? '')).toBe('valid')
    const others = won.filter((one) => one !== last).slice(-20)
    for (const one of others) expect(await verdict(one.secret)).toBe('unknown')
    const rows = await instance.core.store.read
      .selectFrom('audit')
      .select('seq')
      .where('action', '=', 'rotate_token')
      .where('target_id', '=', id)
      .execute()
    expect(rows).toHaveLength(won.length)
  }, 90_000)

  it('R44: 500 pairs of a rotation and a revocation at once: nothing lives after the revocation', async () => {
    let alive = 0
    for (let batch = 0; batch < 20; batch++) {
      const planted = await Promise.all(Array.from({ length: 25 }, () => plantKey(instance, 'access')))
      await Promise.all(
        planted.map(async ({ id, secret }, n) => {
          const rotation = () =>
            instance
              .call('operator', rotate_token, { token_id: id, grace_seconds: 600 })
              .catch((error) => error.code as string)
          const revocation = () => instance.call('operator', revoke_token, { token_id: id })
          const [turned] =
            n % 2
              ? await Promise.all([rotation(), revocation()])
              : (await Promise.all([revocation(), rotation()])).toReversed()
          if (typeof turned === 'string') expect(turned).toBe('conflict')
          const secrets = [
            secret,
            ...(typeof turned === 'object' && 'delivery' in turned ? [turned.delivery.secret ?? ''] : []),
          ]
          for (const one of secrets) if ((await verdict(one)) === 'valid') alive += 1
        }),
      )
    }
    expect(alive).toBe(0)
  }, 60_000)

  it('R46: 1,000 times: a token revoked by another process is refused by the next validation', async () => {
    const planted = await Promise.all(Array.from({ length: 1_000 }, () => plantKey(instance, 'access')))
    const revoker = startChild({ work: 'revoke', ...instance.place })
    await revoker.says((line) => 'ready' in line)
    let stale = 0
    for (const { id, secret } of planted) {
      if ((await verdict(secret)) !== 'valid') throw new Error('the token was not good before')
      revoker.tell(id)
      await revoker.says((line) => line['revoked'] === id)
      if ((await instance.call('validator', validate_token, { token: secret })).verdict !== 'invalid')
        stale += 1
      revoker.said.length = 0
    }
    await revoker.kill()
    expect(stale).toBe(0)
  }, 90_000)
})

describe('writers and readers on SQLite (R45)', () => {
  let instance: Instance
  let secret: string
  let id: string
  beforeAll(async () => {
    instance = await openInstance(database('sqlite'))
    const made = await makeToken(instance)
    secret = made.secret
    id = made.id
  })
  afterAll(() => instance.close())

  /** Validates without pause between `from` and `to` ms from now. */
  async function validations(ms: number): Promise<number[]> {
    const took: number[] = []
    const end = performance.now() + ms
    while (performance.now() < end) {
      const start = performance.now()
      const { verdict } = await instance.call('validator', validate_token, { token: secret })
      took.push(performance.now() - start)
      if (verdict !== 'valid') throw new Error(`validation answered ${verdict}`)
      await pause(1)
    }
    return took
  }

  it('while another process holds the write lock for 2 s, validation goes on, the loop is free, and a change waits and succeeds', async () => {
    const holder = startChild({ work: 'hold', ...instance.place, times: 2_000 })
    await holder.says((line) => line['held'] === true)
    const gaps = await watchLoops()
    const start = performance.now()
    const change = instance
      .call('operator', create_token, { name: 'waited' })
      .then(() => performance.now() - start)
    const took = await validations(1_500)
    const { ours, idle } = await gaps()
    expect(ours).toBeLessThan(Math.max(100, 2 * idle))
    expect(p99(took)).toBeLessThan(Math.max(20, idle))
    expect(took.length).toBeGreaterThan(200)
    expect(await change).toBeGreaterThan(1_500)
    await holder.ended
  })

  it('the first use of a secret, noted while the lock is held, holds no reader up, and is stored afterwards', async () => {
    const fresh = await makeToken(instance)
    const holder = startChild({ work: 'hold', ...instance.place, times: 1_500 })
    await holder.says((line) => line['held'] === true)
    const took: number[] = []
    for (let n = 0; n < 5; n++) {
      const start = performance.now()
      expect((await instance.call('validator', validate_token, { token: fresh.secret })).verdict).toBe(
        'valid',
      )
      took.push(performance.now() - start)
    }
    expect(Math.max(...took)).toBeLessThan(100)
    const start = performance.now()
    await instance.call('reader', list_magic_tokens, {})
    expect(performance.now() - start).toBeLessThan(1_000)
    await holder.ended
    await instance.core.uses.flush()
    expect((await instance.call('reader', get_token, { token_id: fresh.id })).token.use_count).toBe(5)
  })

  it('beside 4 writing processes there is no busy error, validation stays fast, and the loop is free', async () => {
    const writers: Child[] = Array.from({ length: 4 }, () =>
      startChild({ work: 'write', ...instance.place, pause: 5 }),
    )
    await Promise.all(writers.map((writer) => writer.says((line) => 'id' in line)))
    const gaps = await watchLoops()
    const changes: Promise<unknown>[] = []
    for (let n = 0; n < 20; n++)
      changes.push(pause(n * 100).then(() => makeToken(instance, { name: `beside ${n}` })))
    const took = await validations(3_000)
    const { ours, idle } = await gaps()
    await Promise.all(changes)
    const written = writers.reduce((sum, writer) => sum + writer.said.length, 0)
    const running = writers.every((writer) => writer.process.exitCode === null)
    await Promise.all(writers.map((writer) => writer.kill()))
    console.log(
      `validation p99 ${p99(took).toFixed(1)} ms, longest gap ${ours.toFixed(0)} ms (idle thread ${idle.toFixed(0)} ms), ${written} changes beside`,
    )
    expect(running).toBe(true)
    expect(written).toBeGreaterThan(100)
    expect(p99(took)).toBeLessThan(Math.max(20, idle))
    expect(ours).toBeLessThan(Math.max(100, 2 * idle))
    expect(await refusal(instance.call('operator', rotate_token, { token_id: 'mgtk_x' }))).toBe('not_found')
    expect((await instance.call('reader', get_token, { token_id: id })).token.status).toBe('active')
    expect(
      (await audit.verifyChain(instance.core.store.read, instance.core.keys.audit)).first_bad_seq,
    ).toBeNull()
  }, 60_000)
})
