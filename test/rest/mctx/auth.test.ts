import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSecret } from '../../../src/domain/secret.ts'
import { defaultLimits } from '../../../src/http/limits.ts'
import { type Answer, wire } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { makeToken, plantKey, plantProject, plantUser } from '../../support/world.ts'
import { day, forbidden, ipNotAllowed, openWorld, unauthorized, type World } from './world.ts'

const limits = { ...defaultLimits, failuresPerMinute: 100_000 }
const message = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'

describe.each(databases)('who may call /api/tokens on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database, { limits })
  })
  afterAll(() => world.close())

  /** The same credential on two routes of the API and on the MCP endpoint. */
  const everywhere = (as: string | null, id = 'mgtk_none'): Promise<Answer[]> => {
    const authorization: Record<string, string> = as === null ? {} : { authorization: `Bearer ${as}` }
    return Promise.all([
      world.ask('GET /api/tokens', { as }),
      world.ask(`POST /api/tokens/${id}/rotate`, { as }),
      world.send('/mcp', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        body: message,
      }),
    ])
  }

  /** Secrets that are no good, each for another reason. */
  async function badSecrets(more: object = {}): Promise<[string, string][]> {
    const { core, clock } = world.beside
    const made = async (input: object = {}) => makeToken(world.beside, { ...more, ...input })
    const [revoked, disabled, waiting, expired] = [
      await made(),
      await made(),
      await made({ not_before: new Date(clock.now + day).toISOString() }),
      await made({ expires_at: new Date(clock.now + 60_000).toISOString() }),
    ]
    const [ousted, former] = [await plantProject(world.beside), await plantProject(world.beside)]
    const ofOusted = await made({ owner_id: ousted.user_id })
    const ofFormer = await made({ owner_id: former.user_id, project_id: former.project_id })
    const idle = await plantUser(world.beside, { enabled: 0 })
    const ofIdle = await made({ owner_id: idle })
    await world.op('revoke_token', { token_id: revoked.id })
    await world.op('set_token_enabled', { token_id: disabled.id, enabled: false })
    await world.op('update_user', { user_id: ousted.user_id, enabled: false })
    await core.store.write((db) =>
      db.deleteFrom('project_members').where('user_id', '=', former.user_id).execute(),
    )
    world.clock.pass(120_000)
    return [
      ['revoked', revoked.secret],
      ['disabled', disabled.secret],
      ['not yet valid', waiting.secret],
      ['expired', expired.secret],
      ['of a disabled owner', ofOusted.secret],
      ['of an owner who never was enabled', ofIdle.secret],
      ['of a former member', ofFormer.secret],
    ]
  }

  it(`${verifies('mctx:auth:header:bearer')} takes Bearer in any case, one or more spaces and exactly one word`, async () => {
    const { reader } = world.keys
    const head = (...headers: string[]) =>
      world.raw(wire('GET /api/tokens HTTP/1.1', [`host: 127.0.0.1:${world.port}`, ...headers]))
    for (const value of [`Bearer ${reader}`, `bearer ${reader}`, `BEARER    ${reader}`, `bEaReR  ${reader}`])
      expect(await head(`authorization: ${value}`)).toMatch(/^HTTP\/1\.1 200 /)
    const bad = [
      [],
      [`authorization: ${reader}`],
      [`authorization: Basic ${reader}`],
      ['authorization: Bearer'],
      ['authorization: '],
      [`authorization: Bearer${reader}`],
      [`authorization: Bearer\t${reader}`],
      [`authorization: Bearer ${reader} ${reader}`],
      [`authorization: Bearer ${reader},Bearer ${reader}`],
      [`authorization: Bearer ${reader}`, `authorization: Bearer ${reader}`],
    ]
    for (const headers of bad) {
      const heard = await head(...headers)
      expect([headers, heard.slice(0, 13)]).toEqual([headers, 'HTTP/1.1 401 '])
      expect(heard.endsWith(unauthorized)).toBe(true)
    }
  })

  it(`${verifies('mctx:auth:401:body')} answers one body to every secret that is no good, on the API and on /mcp, from whatever address`, async () => {
    const known = await world.make()
    const unissued = makeSecret('mcpt')
    const bad: [string, string | null][] = [
      ['missing', null],
      ['malformed', 'mcpt_nonsense'],
      ['unknown', unissued],
      ['of a management key that never was', makeSecret('mcpm')],
      ['an id', known.id],
      ['a shown prefix', known.prefix],
      ['cut', known.token.slice(0, -1)],
      ...(await badSecrets()),
      ...(await badSecrets({ allowed_ips: ['192.0.2.1'] })),
    ]
    for (const [what, as] of bad) {
      for (const refused of await everywhere(as, known.id)) {
        expect([what, refused.status, refused.text]).toEqual([what, 401, unauthorized])
        expect(refused.headers.get('content-type')).toBe('application/json')
      }
    }
  })

  it(`${verifies('mctx:auth:401:challenge')} challenges with Bearer, and says invalid_token when a token was sent`, async () => {
    for (const { headers } of await everywhere(null)) expect(headers.get('www-authenticate')).toBe('Bearer')
    for (const as of [makeSecret('mcpt'), 'x']) {
      for (const { headers } of await everywhere(as))
        expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    }
  })

  it(`${verifies('mctx:auth:order:host-origin')} a Host or Origin that is not listed is 403 before anything else`, async () => {
    const own = `127.0.0.1:${world.port}`
    const good = `authorization: Bearer ${world.keys.operator}`
    const attempts = [
      ['host: evil.example'],
      ['host: evil.example', good],
      [`host: ${own}`, 'origin: https://evil.example'],
      [`host: ${own}`, 'origin: https://evil.example', good],
      [`host: ${own}`, 'origin: null', good],
      ['host: evil.example', 'authorization: Bearer nonsense'],
    ]
    for (const headers of attempts) {
      for (const line of [
        'GET /api/tokens',
        'POST /api/tokens/x/rotate',
        'PUT /api/tokens',
        'GET /api/tokens/a/b/c',
      ]) {
        const heard = await world.raw(
          wire(`${line} HTTP/1.1`, headers, line.startsWith('P') ? '{broken' : ''),
        )
        expect([headers, heard.slice(0, 13), heard.endsWith(forbidden)]).toEqual([
          headers,
          'HTTP/1.1 403 ',
          true,
        ])
      }
    }
    expect((await world.ask('GET /api/tokens', { headers: { origin: `http://${own}` } })).status).toBe(200)
  })

  it(`${verifies('mctx:auth:order:first')} 401 comes before route, method, body and look-up; then 404, 405, 400 and 413, 403, 404, 409`, async () => {
    const { reader, operator } = world.keys
    const known = await world.make()
    const revoked = await world.make()
    await world.ask(`DELETE /api/tokens/${revoked.id}`)
    const huge = JSON.stringify({ name: 'x'.repeat(300_000) })
    const past = { expires_at: world.later(-1_000) }
    const at = `/api/tokens/${known.id}`
    const none = '/api/tokens/mgtk_0000000000000000000000'
    const ladder: [line: string, body: unknown, as: string | null, status: number][] = [
      ['GET /api/tokens/a/b', undefined, null, 401],
      ['PUT /api/tokens', '{broken', null, 401],
      ['POST /api/tokens', '{broken', null, 401],
      ['POST /api/tokens', huge, null, 401],
      [`GET ${at}`, undefined, null, 401],
      [`PATCH ${none}`, {}, null, 401],
      ['POST /api/tokens/a/b', '{broken', operator, 404],
      ['PUT /api/tokens', '{broken', operator, 405],
      [`PUT ${none}`, huge, reader, 405],
      ['POST /api/tokens', '{broken', reader, 400],
      ['POST /api/tokens', { name: 'x', ...past }, reader, 400],
      ['POST /api/tokens', huge, reader, 413],
      [`PATCH ${none}`, { color: 1 }, reader, 400],
      [`PATCH ${none}`, past, known.token, 400],
      [`PATCH ${none}`, past, operator, 400],
      [`PATCH ${at}`, { scopes: [] }, known.token, 400],
      [`POST ${none}/rotate`, { grace_seconds: -1 }, known.token, 400],
      [`PATCH ${none}`, { name: 'x' }, reader, 403],
      [`POST ${none}/rotate`, undefined, reader, 403],
      [`DELETE ${none}`, undefined, reader, 403],
      [`GET ${none}`, undefined, known.token, 403],
      [`PATCH ${none}`, { name: 'x' }, operator, 404],
      [`PATCH /api/tokens/${revoked.id}`, {}, operator, 400],
      [`PATCH /api/tokens/${revoked.id}`, { expires_in_days: 91 }, operator, 400],
      [`PATCH /api/tokens/${revoked.id}`, { name: 'x' }, operator, 409],
      [`POST /api/tokens/${revoked.id}/rotate`, undefined, operator, 409],
    ]
    for (const [line, body, as, status] of ladder) {
      const answer = await world.ask(line, { as, ...(body === undefined ? {} : { body }) })
      expect([line, body === huge ? 'huge' : body, answer.status]).toEqual([
        line,
        body === huge ? 'huge' : body,
        status,
      ])
    }
  })

  it(`${verifies('mctx:auth:query:ignored')} a secret in the query is never read, and next to a good one changes nothing`, async () => {
    const { operator } = world.keys
    for (const name of ['token', 'key', 'access_token', 'api_key', 'authorization', 'bearer']) {
      const refused = await world.ask(`GET /api/tokens?${name}=${operator}`, { as: null })
      expect([name, refused.status]).toEqual([name, 401])
      expect((await world.ask(`GET /api/tokens?${name}=nonsense`)).status).toBe(200)
    }
  })

  it(`${verifies('mctx:auth:cookie:ignored')} a cookie is no credential, and next to one changes nothing`, async () => {
    const { operator, reader } = world.keys
    const cookie = `token=${operator}; session=${operator}; authorization=Bearer ${operator}`
    const { id } = await world.make()
    for (const line of ['GET /api/tokens', `POST /api/tokens/${id}/rotate`])
      expect((await world.ask(line, { as: null, headers: { cookie } })).text).toBe(unauthorized)
    expect(
      (await world.ask('POST /api/tokens', { as: reader, headers: { cookie }, body: { name: 'x' } })).status,
    ).toBe(403)
    const own = `http://127.0.0.1:${world.port}`
    const rotated = await world.ask(`POST /api/tokens/${id}/rotate`, {
      headers: { cookie: 'a=b', origin: own },
    })
    expect(rotated.status).toBe(200)
  })

  it(`${verifies('mctx:auth:address:rest')} an address list holds here as well`, async () => {
    const token = await world.make({ allowed_ips: ['192.0.2.1'] })
    const key = await plantKey(world.beside, 'management', { role: 'admin', allowed_ips: '["192.0.2.0/24"]' })
    for (const as of [token.token, key.secret]) {
      for (const line of [
        `GET /api/tokens/${token.id}`,
        'GET /api/tokens',
        'PUT /api/tokens',
        'GET /api/tokens/a/b',
      ]) {
        const refused = await world.ask(line, { as })
        expect([line, refused.status, refused.text]).toEqual([line, 403, ipNotAllowed])
      }
    }
    await world.ask(`PATCH /api/tokens/${token.id}`, { body: { allowed_ips: ['127.0.0.1'] } })
    expect((await world.ask(`GET /api/tokens/${token.id}`, { as: token.token })).status).toBe(200)
  })

  it(`${verifies('mctx:auth:403:rest')} who may not do it is told the same whether or not the id exists`, async () => {
    const [mine, other] = [await world.make(), await world.make()]
    const { reader, validator } = world.keys
    const tries: [string, string, unknown?][] = [
      [mine.token, 'GET /api/tokens/ID'],
      [mine.token, 'PATCH /api/tokens/ID', { name: 'x' }],
      [mine.token, 'DELETE /api/tokens/ID'],
      [mine.token, 'POST /api/tokens/ID/rotate'],
      [reader, 'PATCH /api/tokens/ID', { name: 'x' }],
      [reader, 'DELETE /api/tokens/ID'],
      [reader, 'POST /api/tokens/ID/rotate'],
      [validator, 'GET /api/tokens/ID'],
      [validator, 'GET /api/tokens'],
      [validator, 'POST /api/tokens', { name: 'x' }],
      [validator, 'PATCH /api/tokens/ID', { name: 'x' }],
      [validator, 'DELETE /api/tokens/ID'],
      [validator, 'POST /api/tokens/ID/rotate'],
    ]
    for (const [as, line, body] of tries) {
      const answers = await Promise.all(
        [other.id, 'mgtk_0000000000000000000000', 'nonsense', '%00', 'x'.repeat(300)].map((id) =>
          world.ask(line.replace('ID', id), { as, ...(body === undefined ? {} : { body }) }),
        ),
      )
      for (const { status, text, headers } of answers) {
        expect([line, status, text]).toEqual([line, 403, forbidden])
        expect(headers.get('www-authenticate')).toBe(answers[0]?.headers.get('www-authenticate'))
      }
    }
  })
})
