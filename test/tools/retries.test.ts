import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sweep } from '../../src/core/sweep.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { contents, leak, makeToken, plantKey, stateTables, trailOf } from '../support/world.ts'

const hour = 3_600_000

describe.each(databases)('retries on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const verdict = async (secret: string) =>
    (await instance.call('reader', validate_token, { token: secret })).verdict
  const key = () =>
    `key-${Math.random().toString(36).slice(2)}-${Math.random().toString(36).slice(2)}-0123456789`

  it('R47: the same key, body and caller get the identical answer within 10 minutes, later already_done with the id', async () => {
    const idempotency_key = key()
    const create = () =>
      instance.call('operator', create_token, { name: 'retried', expires_in_days: 3, idempotency_key })
    const first = await create()
    const trail = await trailOf(instance, async () => {
      instance.clock.pass(599_000)
      expect(JSON.stringify(await create())).toBe(JSON.stringify(first))
    })
    expect(trail).toEqual([])
    instance.clock.pass(1_000)
    const late = await refusalError(create())
    expect(late).toMatchObject({ code: 'already_done', id: first.token.id })
    expect(late.message).toContain(first.token.id)
    instance.clock.pass(24 * hour - 600_000 - 1)
    expect(await refusal(create())).toBe('already_done')
    expect((await instance.call('reader', list_magic_tokens, { text: 'retried' })).total).toBe(1)
    instance.clock.pass(1)
    expect((await create()).token.id).not.toBe(first.token.id)
  })

  it('R47: the same holds for a rotation, by link and with its link', async () => {
    const made = await makeToken(instance)
    const idempotency_key = key()
    const turn = (delivery: 'inline' | 'link') =>
      instance.call('operator', rotate_token, { token_id: made.id, delivery, idempotency_key })
    const first = await turn('link')
    expect(JSON.stringify(await turn('link'))).toBe(JSON.stringify(first))
    expect(first.delivery.code).toMatch(/^once_/)
    expect(first.token.generation).toBe(2)
    expect((await instance.call('reader', get_token, { token_id: made.id })).token.generation).toBe(2)
    expect(await refusal(turn('inline'))).toBe('conflict')
    instance.clock.pass(600_000)
    expect(await refusal(turn('link'))).toBe('already_done')
    expect((await instance.call('reader', get_token, { token_id: made.id })).token.generation).toBe(2)
  })

  it('R47: the order of members does not matter, another body is a conflict, and nothing changes', async () => {
    const idempotency_key = key()
    const first = await instance.call('operator', create_token, {
      name: 'a',
      metadata: { x: 1, y: 2 },
      idempotency_key,
    })
    const again = await instance.call('operator', create_token, {
      idempotency_key,
      metadata: { y: 2, x: 1 },
      name: 'a',
    })
    expect(again).toEqual(first)
    const before = await contents(instance, stateTables)
    expect(
      await refusal(
        instance.call('operator', create_token, { name: 'b', metadata: { x: 1, y: 2 }, idempotency_key }),
      ),
    ).toBe('conflict')
    expect(
      await refusal(
        instance.call('operator', create_token, { name: 'a', metadata: { x: 2, y: 2 }, idempotency_key }),
      ),
    ).toBe('conflict')
    expect(await contents(instance, stateTables)).toBe(before)
  })

  it('R47: nothing is shared between callers or operations', async () => {
    const idempotency_key = key()
    const a = await instance.actor((await plantKey(instance, 'management')).secret)
    const b = await instance.actor((await plantKey(instance, 'management')).secret)
    const first = await instance.call(a, create_token, { name: 'x', idempotency_key })
    const second = await instance.call(b, create_token, { name: 'x', idempotency_key })
    expect(second.token.id).not.toBe(first.token.id)
    expect(second.delivery.secret).not.toBe(first.delivery.secret)
    const turned = await instance.call(a, rotate_token, { token_id: first.token.id, idempotency_key })
    expect(turned.token.generation).toBe(2)
  })

  it('R47: permission is judged anew for a retry', async () => {
    const idempotency_key = key()
    await instance.call('operator', create_token, { name: 'x', idempotency_key })
    expect(await refusal(instance.call('reader', create_token, { name: 'x', idempotency_key }))).toBe(
      'forbidden',
    )
  })

  it('R47: 20 calls at once with one key do it once', async () => {
    const made = await makeToken(instance)
    const idempotency_key = key()
    const trail = await trailOf(instance, async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () =>
          instance.call('operator', rotate_token, { token_id: made.id, idempotency_key }),
        ),
      )
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    })
    expect(trail.map((row) => row.action)).toEqual(['rotate_token'])
  })

  it('R47: a call that was refused is not remembered', async () => {
    const idempotency_key = key()
    expect(
      await refusal(
        instance.call('operator', create_token, { name: 'x', owner_id: 'usr_x', idempotency_key }),
      ),
    ).toBe('not_found')
    expect(
      (await instance.call('operator', create_token, { name: 'x', idempotency_key })).delivery.secret,
    ).toMatch(/^mcpt_/)
  })

  it('R47: a token that lost the answer to its own rotation gets it with its predecessor and the right key, and with nothing else', async () => {
    const made = await makeToken(instance)
    const idempotency_key = key()
    const body = { token_id: made.id, grace_seconds: 300, idempotency_key }
    const first = await instance.call(await instance.actor(made.secret), rotate_token, body)
    const again = await instance.call(await instance.actor(made.secret), rotate_token, body)
    expect(JSON.stringify(again)).toBe(JSON.stringify(first))
    const predecessor = await instance.actor(made.secret)
    expect(await refusal(instance.call(predecessor, rotate_token, { ...body, idempotency_key: key() }))).toBe(
      'unauthenticated',
    )
    expect(
      await refusal(instance.call(predecessor, rotate_token, { token_id: made.id, grace_seconds: 300 })),
    ).toBe('unauthenticated')
    expect(await verdict(first.delivery.secret ?? '')).toBe('valid')
    instance.clock.pass(300_000)
    expect(await refusal(instance.actor(made.secret).then(() => undefined))).toBe('unauthenticated')
  })

  it('R47: a self-rotation with grace 0, or revoked since, is not recovered by its predecessor', async () => {
    const a = await makeToken(instance)
    await instance.call(await instance.actor(a.secret), rotate_token, {
      token_id: a.id,
      idempotency_key: key(),
    })
    expect(await refusal(instance.actor(a.secret).then(() => undefined))).toBe('unauthenticated')
    const b = await makeToken(instance)
    await instance.call(await instance.actor(b.secret), rotate_token, {
      token_id: b.id,
      grace_seconds: 300,
      idempotency_key: key(),
    })
    await instance.call('operator', revoke_token, { token_id: b.id })
    expect(await refusal(instance.actor(b.secret).then(() => undefined))).toBe('unauthenticated')
  })

  it('R47: a predecessor does not get at the answer of a rotation somebody else made', async () => {
    const made = await makeToken(instance)
    const idempotency_key = key()
    const body = { token_id: made.id, grace_seconds: 300, idempotency_key }
    await instance.call('operator', rotate_token, body)
    expect(await refusal(instance.call(await instance.actor(made.secret), rotate_token, body))).toBe(
      'unauthenticated',
    )
  })

  it('R2, R47: the kept answer is sealed, its key is not stored, and it is deleted after 10 minutes', async () => {
    const idempotency_key = key()
    const first = await instance.call('operator', create_token, { name: 'sealed', idempotency_key })
    const secret = first.delivery.secret ?? ''
    const row = await instance.core.store.read
      .selectFrom('idempotency')
      .selectAll()
      .where('target_id', '=', first.token.id)
      .executeTakeFirstOrThrow()
    expect(row.sealed?.length).toBeGreaterThan(100)
    const stored = Buffer.concat([
      ...Object.values(row).filter((value) => Buffer.isBuffer(value)),
      Buffer.from(JSON.stringify(row)),
    ])
    expect([leak(stored, secret), leak(stored, idempotency_key)]).toEqual([-1, -1])
    if (database.name === 'sqlite') {
      for (const suffix of ['', '-wal']) {
        const bytes = readFileSync(`${instance.place.location}${suffix}`)
        expect([leak(bytes, secret), leak(bytes, idempotency_key)]).toEqual([-1, -1])
      }
    }
    const sealed = async () =>
      (
        await instance.core.store.read
          .selectFrom('idempotency')
          .select('sealed')
          .where('target_id', '=', first.token.id)
          .execute()
      ).map((one) => one.sealed === null)
    instance.clock.pass(599_999)
    await sweep(instance.core)
    expect(await sealed()).toEqual([false])
    instance.clock.pass(1)
    await sweep(instance.core)
    expect(await sealed()).toEqual([true])
    instance.clock.pass(24 * hour)
    await sweep(instance.core)
    expect(await sealed()).toEqual([])
  })

  it('R53: none of the secrets issued here is in the log', async () => {
    const made = await makeToken(instance)
    await verdict(made.secret)
    expect(leak(Buffer.from(instance.log.join('')), made.secret)).toBe(-1)
    expect(leak(Buffer.from(instance.log.join('')), instance.adminKey)).toBe(-1)
  })
})
