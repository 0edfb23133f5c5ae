import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../../src/http/limits.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { plantKey } from '../../support/world.ts'
import { openWorld, told, type World } from './world.ts'

const internals = / at |node_modules|SQLITE|select |insert |\.ts|\/tmp|token_groups/i

describe.each(databases)('answers below /api/tokens on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  it(`${verifies('mctx:wire:error:envelope')} every failure has the one form, its number and its message`, async () => {
    const { id, token } = await world.make()
    const revoked = await world.make()
    await world.ask(`DELETE /api/tokens/${revoked.id}`)
    const elsewhere = await plantKey(world.beside, 'management', { allowed_ips: '["192.0.2.1"]' })
    const key = { 'idempotency-key': 'spent-key-0123456789' }
    await world.ask('POST /api/tokens', { headers: key, body: { name: 'a' } })
    const failures: [ReturnType<World['ask']>, number, number, string][] = [
      [
        world.ask('POST /api/tokens', { body: { name: 'x', expires_in_days: 91 } }),
        400,
        -32602,
        'Invalid params: expires_in_days must be a whole number from 1 to 90',
      ],
      [world.ask('POST /api/tokens', { body: '{broken' }), 400, -32700, 'Parse error'],
      [world.ask('GET /api/tokens', { as: null }), 401, -32001, 'Unauthorized'],
      [world.ask('GET /api/tokens', { as: token }), 403, -32003, 'Forbidden'],
      [
        world.ask('GET /api/tokens', { headers: { origin: 'https://evil.example' } }),
        403,
        -32003,
        'Forbidden',
      ],
      [world.ask('GET /api/tokens', { as: elsewhere.secret }), 403, -32003, 'IP Not Allowed'],
      [world.ask('GET /api/tokens/mgtk_none'), 404, -32004, 'Not Found'],
      [world.ask('GET /api/tokens/a/b'), 404, -32004, 'Not Found'],
      [world.ask('PUT /api/tokens'), 405, -32600, 'Method Not Allowed'],
      [
        world.ask(`PATCH /api/tokens/${revoked.id}`, { body: { name: 'x' } }),
        409,
        -32009,
        'Conflict: the token is revoked',
      ],
      [
        world.ask('POST /api/tokens', { headers: key, body: { name: 'b' } }),
        409,
        -32009,
        'Conflict: the Idempotency-Key was sent with another request before',
      ],
      [world.ask('POST /api/tokens', { body: `"${'x'.repeat(300_000)}"` }), 413, -32600, 'Request too large'],
      [world.ask(`GET /api/tokens/${id}?${'x'.repeat(9_000)}`), 414, -32600, 'Request too large'],
    ]
    for (const [asked, status, code, message] of failures) {
      const answer = await asked
      expect([answer.status, answer.json]).toEqual([
        status,
        { jsonrpc: '2.0', error: { code, message }, id: null },
      ])
      expect(answer.text).toBe(`{"jsonrpc":"2.0","error":${JSON.stringify({ code, message })},"id":null}`)
      expect(answer.headers.get('content-type')).toBe('application/json')
    }
  })

  it('mctx 3: 429 comes only where a limit is passed, with Retry-After', async () => {
    const limited = await openWorld(database, { limits: { ...defaultLimits, failuresPerMinute: 2 } })
    const bad = () => limited.ask('GET /api/tokens', { as: 'nonsense' })
    expect([(await bad()).status, (await bad()).status]).toEqual([401, 401])
    const refused = await bad()
    expect(told(refused)).toEqual([429, -32029, 'Too Many Requests'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await limited.ask('GET /api/tokens')).status).toBe(200)
    await limited.close()
  })

  it(`${verifies('mctx:wire:header:no-store')} answers with a secret are not to be stored, nor are the others`, async () => {
    const made = await world.ask('POST /api/tokens', { body: { name: 'x' } })
    const rotated = await world.ask(`POST /api/tokens/${made.json.id}/rotate`)
    for (const { status, headers } of [made, rotated]) {
      expect(status).toBeLessThan(300)
      expect(headers.get('cache-control')).toBe('no-store')
    }
    for (const line of ['GET /api/tokens', 'GET /api/tokens/none', 'PUT /api/tokens'])
      expect((await world.ask(line)).headers.get('cache-control')).toBe('no-store')
  })

  it(`${verifies('mctx:wire:body:json')} a body is JSON whatever Content-Type says, an object, and bounded`, async () => {
    const post = (body: unknown, headers = {}) => world.ask('POST /api/tokens', { body, headers })
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=utf-8',
      'x',
    ])
      expect((await post({ name: 'x' }, { 'content-type': type })).status).toBe(201)
    for (const body of ['{"name":', 'name=x', '\ufeff', '{"name":"x"} {}', "{'name':'x'}", ' '])
      expect(told(await post(body))).toEqual([400, -32700, 'Parse error'])
    for (const body of ['[]', '"x"', '7', 'true', 'null', '[{"name":"x"}]']) {
      const refused = told(await post(body))
      expect([body, ...refused]).toEqual([
        body,
        400,
        -32602,
        'Invalid params: the body must be a JSON object',
      ])
    }
    const { id } = await world.make()
    for (const body of ['[]', 'null', '"x"', '{broken'])
      expect((await world.ask(`POST /api/tokens/${id}/rotate`, { body })).status).toBe(400)
    const padded = (size: number) => JSON.stringify({ name: 'x' }).padEnd(size, ' ')
    expect((await post(padded(256 * 1024))).status).toBe(201)
    expect(told(await post(padded(256 * 1024 + 1)))).toEqual([413, -32600, 'Request too large'])
    const nested = (levels: number) =>
      `{"name":"x","more":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    expect(told(await post(nested(33)))[2]).toMatch(
      /^Invalid params: the body is nested deeper than 32 levels/,
    )
    expect(told(await post(nested(32)))[2]).toBe('Invalid params: more is not a field of this request')
    const members = (count: number) => JSON.stringify({ name: 'x', server_ids: Array(count - 2).fill('a') })
    expect(told(await post(members(1_001)))[2]).toMatch(
      /^Invalid params: the body is made of more than 1000 members/,
    )
    expect(told(await post(members(1_000)))[2]).toBe(
      'Invalid params: server_ids names a server that does not exist: a',
    )
    const zipped = await post({ name: 'x' }, { 'content-encoding': 'gzip' })
    expect(told(zipped).slice(0, 2)).toEqual([400, -32602])
  })

  it(`${verifies('mctx:wire:body:unknown-fields')} an unknown member of a POST or PATCH is named, and nothing happens`, async () => {
    const { id, name } = await world.make()
    for (const member of [
      'colour',
      'id',
      'token',
      'kind',
      'owner_id',
      'project_id',
      'enabled',
      'access',
      'show',
      'idempotency_key',
    ]) {
      const body = { name: 'x', [member]: 'y' }
      const rule = `Invalid params: ${member} is not a field of this request`
      expect(told(await world.ask('POST /api/tokens', { body }))).toEqual([400, -32602, rule])
      expect(told(await world.ask(`PATCH /api/tokens/${id}`, { body }))).toEqual([400, -32602, rule])
      const rotate = { [member]: 'y' }
      expect(told(await world.ask(`POST /api/tokens/${id}/rotate`, { body: rotate }))).toEqual([
        400,
        -32602,
        rule,
      ])
    }
    for (const body of ['{"name":"x","__proto__":{}}', '{"name":"x","constructor":1}'])
      expect((await world.ask('POST /api/tokens', { body })).status).toBe(400)
    expect((await world.ask(`GET /api/tokens/${id}`)).json.name).toBe(name)
  })

  it(`${verifies('mctx:wire:route:unknown')} an unknown path is 404, a known one with another method 405 with what is allowed`, async () => {
    const { id } = await world.make()
    const paths = ['/', `/${id}/`, `/${id}/more`, `/${id}/rotate/`, `/${id}/rotate/x`, '//x', `/${id}/revoke`]
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'DELETE'])
        expect(told(await world.ask(`${method} /api/tokens${path}`))).toEqual([404, -32004, 'Not Found'])
    }
    const known: [string, string[], string][] = [
      ['', ['PUT', 'PATCH', 'DELETE', 'OPTIONS'], 'POST, GET'],
      [`/${id}`, ['PUT', 'POST', 'OPTIONS'], 'GET, PATCH, DELETE'],
      [`/${id}/rotate`, ['GET', 'PUT', 'PATCH', 'DELETE'], 'POST'],
    ]
    for (const [path, methods, allow] of known) {
      for (const method of methods) {
        const refused = await world.ask(`${method} /api/tokens${path}`)
        expect([method, ...told(refused)]).toEqual([method, 405, -32600, 'Method Not Allowed'])
        expect(refused.headers.get('allow')).toBe(allow)
      }
    }
    expect((await world.ask(`GET /api/tokens/${id}`)).json.status).toBe('active')
  })

  it(`${verifies('mctx:wire:error:no-internals')} a fault of ours is -32603, and no error tells of code, SQL, path or secret`, async () => {
    const broken = await openWorld(database)
    const { id, token } = await broken.make()
    const { write } = broken.beside.core.store
    await write((db) => sql`alter table token_groups rename to gone`.execute(db))
    for (const [line, as] of [
      [`GET /api/tokens/${id}`, token],
      ['GET /api/tokens', broken.keys.reader],
      [`POST /api/tokens/${id}/rotate`, token],
    ] as const) {
      const failed = await broken.ask(line, { as })
      expect(told(failed)).toEqual([500, -32603, 'Internal error'])
      expect(failed.text).not.toMatch(internals)
      expect(failed.text).not.toContain(token.slice(5, 21))
    }
    await write((db) => sql`alter table gone rename to token_groups`.execute(db))
    expect((await broken.ask(`GET /api/tokens/${id}`, { as: token })).status).toBe(200)
    await broken.close()
    const secret = (await world.make()).token
    const echoing = [
      await world.ask('POST /api/tokens', { body: { name: 'x', [secret]: 1 } }),
      await world.ask('POST /api/tokens', { body: { name: 'x', server_ids: [secret] } }),
      await world.ask('POST /api/tokens', { body: { name: 'x', allowed_ips: [secret] } }),
      await world.ask('POST /api/tokens', { body: { name: 'x', expires_at: secret } }),
      await world.ask(`GET /api/tokens/${secret}`),
      await world.ask(`GET /api/tokens?cursor=${secret}`),
      await world.ask(`GET /api/tokens?status=${secret}`),
      await world.ask('POST /api/tokens', { body: `{"name":"${secret}` }),
      await world.ask('POST /api/tokens', {
        body: { name: 'x' },
        headers: { 'idempotency-key': `${secret} x` },
      }),
    ]
    for (const { status, text } of echoing) {
      expect(status).toBeGreaterThanOrEqual(400)
      expect(text).not.toContain(secret.slice(5, 21))
      expect(text).not.toMatch(internals)
    }
  })
})
