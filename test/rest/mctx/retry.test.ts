import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, leak, makeToken, stateTables } from '../../support/world.ts'
import { openWorld, type Token, told, unauthorized, type World } from './world.ts'

const minute = 60_000
let made = 0

/** A key nobody sent before. */
function fresh(): { 'idempotency-key': string } {
  made += 1
  return { 'idempotency-key': `retry-${made}-0123456789` }
}

describe.each(databases)('Idempotency-Key below /api/tokens on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const create = (headers: Record<string, string>, body: object, as = world.keys.operator) =>
    world.ask('POST /api/tokens', { as, body, headers })
  const rotate = (id: string, headers: Record<string, string>, as = world.keys.operator, body?: unknown) =>
    world.ask(`POST /api/tokens/${id}/rotate`, { as, headers, ...(body === undefined ? {} : { body }) })
  const named = async (name: string) =>
    (await world.ask('GET /api/tokens?status=all')).json.tokens.filter((token: Token) => token.name === name)

  it(`${verifies('mctx:tokens:retry:same-answer')} the same request within 10 minutes gets the identical answer, and nothing is done again`, async () => {
    const key = fresh()
    const first = await create(key, { name: 'retried', expires_in_days: 7 })
    world.clock.pass(10 * minute - 1)
    const again = await create(key, { expires_in_days: 7, name: 'retried' })
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(again.headers.get('cache-control')).toBe('no-store')
    expect(await named('retried')).toHaveLength(1)

    const { id } = first.json
    const turn = fresh()
    const rotated = await rotate(id, turn)
    const repeats = [await rotate(id, turn), await rotate(id, turn, world.keys.operator, '{}')]
    for (const { status, text } of repeats) expect([status, text]).toEqual([200, rotated.text])
    expect((await world.op('get_token', { token_id: id })).token.generation).toBe(2)
    expect((await world.op('validate_token', { token: rotated.json.token })).verdict).toBe('valid')

    const at = { 'idempotency-key': 'shared-by-two-0123456789' }
    const [mine, theirs] = [
      await create(at, { name: 'x' }),
      await create(at, { name: 'x' }, world.keys.admin),
    ]
    expect(theirs.json.id).not.toBe(mine.json.id)
    expect((await create(at, { name: 'x' }, world.keys.reader)).status).toBe(403)

    for (const [name, value] of Object.entries({ ...key, ...turn })) {
      expect(name).toBe('idempotency-key')
      const stored = Buffer.from(await contents(world.beside, stateTables))
      for (const hidden of [value, rotated.json.token, first.json.token])
        expect(leak(stored, hidden)).toBe(-1)
    }
  })

  it('R47: a repeat gets its answer although the end it asked for is past by then; a new request does not', async () => {
    const key = fresh()
    const body = { name: 'short', expires_at: world.later(2 * minute) }
    const first = await create(key, body)
    world.clock.pass(5 * minute)
    const again = await create(key, body)
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text])
    expect(told(await create(fresh(), body))).toEqual([
      400,
      -32602,
      'Invalid params: expires_at must lie in the future',
    ])
  })

  it('R47: the predecessor fetches the answer of the rotation that replaced it while its grace lasts, and nobody else does', async () => {
    const token = await world.make()
    const key = fresh()
    const body = { grace_seconds: 60 }
    const first = await rotate(token.id, key, token.token, body)
    expect(first.status).toBe(200)
    const again = await rotate(token.id, key, token.token, body)
    expect([again.status, again.text]).toEqual([200, first.text])
    expect((await rotate(token.id, fresh(), token.token, body)).text).toBe(unauthorized)
    expect((await rotate(token.id, { 'idempotency-key': 'short' }, token.token, body)).text).toBe(
      unauthorized,
    )
    const other = await world.make()
    expect((await rotate(token.id, key, other.token, body)).status).toBe(403)
    world.clock.pass(minute)
    expect((await rotate(token.id, key, token.token, body)).text).toBe(unauthorized)
    const ungraced = await world.make()
    const lost = fresh()
    expect((await rotate(ungraced.id, lost, ungraced.token)).status).toBe(200)
    expect((await rotate(ungraced.id, lost, ungraced.token)).text).toBe(unauthorized)
  })

  it(`${verifies('mctx:tokens:retry:already-done')} later than that, up to 24 h, it is a conflict that names the token, and nothing is done`, async () => {
    const [made, turned] = [fresh(), fresh()]
    const { id } = (await create(made, { name: 'late' })).json
    const target = await makeToken(world.beside)
    await rotate(target.id, turned)
    for (const wait of [10 * minute, 23 * 60 * minute]) {
      world.clock.pass(wait)
      expect(told(await create(made, { name: 'late' }))).toEqual([
        409,
        -32009,
        `Conflict: already_done ${id}`,
      ])
      expect(told(await rotate(target.id, turned))).toEqual([
        409,
        -32009,
        `Conflict: already_done ${target.id}`,
      ])
    }
    expect(await named('late')).toHaveLength(1)
    expect((await world.op('get_token', { token_id: target.id })).token.generation).toBe(2)
    world.clock.pass(50 * minute)
    expect((await create(made, { name: 'late' })).status).toBe(201)
  })

  it(`${verifies('mctx:tokens:retry:other-body')} the same key with another body is a conflict, and nothing is done`, async () => {
    const key = fresh()
    const first = await create(key, { name: 'first' })
    for (const body of [
      { name: 'second' },
      { name: 'first', expires_in_days: 1 },
      { name: 'first', server_ids: 'all' },
    ])
      expect(told(await create(key, body)).slice(0, 2)).toEqual([409, -32009])
    expect([await named('second'), await named('first')].map((some) => some.length)).toEqual([0, 1])
    expect((await create(key, { name: 'first' })).text).toBe(first.text)
    const turn = fresh()
    const { id } = first.json
    const rotated = await rotate(id, turn)
    expect(told(await rotate(id, turn, world.keys.operator, { grace_seconds: 5 })).slice(0, 2)).toEqual([
      409, -32009,
    ])
    expect((await world.op('validate_token', { token: rotated.json.token })).verdict).toBe('valid')
  })

  it('R47: a key is 16 to 128 visible characters, sent once', async () => {
    for (const value of ['short', 'x'.repeat(129), 'with blanks inside it']) {
      const refused = await create({ 'idempotency-key': value }, { name: 'x' })
      expect(told(refused)).toEqual([
        400,
        -32602,
        'Invalid params: Idempotency-Key must be 16 to 128 visible ASCII characters',
      ])
    }
    const { id } = await world.make()
    const head = [
      `POST /api/tokens/${id}/rotate HTTP/1.1`,
      `host: 127.0.0.1:${world.port}`,
      `authorization: Bearer ${world.keys.operator}`,
      'idempotency-key: one-key-0123456789',
      'idempotency-key: two-key-0123456789',
      'connection: close',
    ]
    const twice = await world.raw(`${head.join('\r\n')}\r\n\r\n`)
    expect(twice).toMatch(/^HTTP\/1\.1 400 /)
    expect(twice).toContain('"Invalid params: Idempotency-Key must be sent once"')
  })

  it('R47: 20 requests at once with one key do it once', async () => {
    const key = fresh()
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(key, { name: 'at once' })))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(await named('at once')).toHaveLength(1)
  })
})
