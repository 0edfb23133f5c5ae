import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { makeToken, plantServer, setPolicy, trailOf } from '../../support/world.ts'
import {
  day,
  forbidden,
  ipNotAllowed,
  openWorld,
  type Token,
  told,
  unauthorized,
  type World,
} from './world.ts'

/** The members of the seed's answer. */
const eight = ['token', 'id', 'name', 'prefix', 'expires_at', 'allowed_ips', 'scopes', 'created_at']

describe.each(databases)('POST /api/tokens/{id}/rotate on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const rotate = (id: string, as: string, body?: unknown) =>
    world.ask(`POST /api/tokens/${id}/rotate`, { as, ...(body === undefined ? {} : { body }) })
  const self = ({ id, token }: Token, body?: unknown) => rotate(id, token, body)
  const status = async (id: string, as: string) => (await world.ask(`GET /api/tokens/${id}`, { as })).status
  const verdict = async (token: string) => (await world.op('validate_token', { token })).verdict

  it(`${verifies('mctx:tokens:rotate:ok')} answers a new secret and prefix with the eight members of the seed`, async () => {
    const made = await world.make()
    const trail = await trailOf(world.beside, async () => {
      const { status, json } = await self(made)
      expect(status).toBe(200)
      for (const member of eight) expect(json).toHaveProperty(member)
      expect(json.token).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
      expect([json.token === made.token, json.prefix === made.prefix]).toEqual([false, false])
      expect(json.prefix).toBe(json.token.slice(0, 12))
    })
    expect(trail.filter(({ action }) => action === 'rotate_token')).toMatchObject([
      { outcome: 'ok', target_id: made.id, actor_id: made.id, via: 'mctx' },
    ])
  })

  it(`${verifies('mctx:tokens:rotate:unchanged')} keeps everything else, the end above all`, async () => {
    const server = await plantServer(world.beside)
    const made = await world.make({ server_ids: [server.id], allowed_ips: ['127.0.0.1'], expires_in_days: 7 })
    const before = (await world.op('get_token', { token_id: made.id })).token
    world.clock.pass(day)
    let secret = made.token
    for (let turn = 0; turn < 3; turn++) {
      const { json } = await rotate(made.id, secret)
      const { token, prefix, last_used_at } = json
      expect(json).toEqual({ ...made, token, prefix, last_used_at })
      secret = token
    }
    const after = (await world.op('get_token', { token_id: made.id })).token
    for (const member of [
      'kind',
      'owner_id',
      'project_id',
      'access',
      'expires_at',
      'not_before',
      'description',
      'metadata',
    ])
      expect(after[member]).toEqual(before[member])
  })

  it(`${verifies('mctx:tokens:rotate:old-dead')} the old secret is refused from the next request on, and the new one works at once`, async () => {
    const made = await world.make()
    const { json } = await self(made)
    expect([await status(made.id, made.token), await status(made.id, json.token)]).toEqual([401, 200])
    expect([await verdict(made.token), await verdict(json.token)]).toEqual(['unknown', 'valid'])
    expect((await self(made)).text).toBe(unauthorized)
  })

  it(`${verifies('mctx:tokens:rotate:no-body')} needs no body, no Content-Type and no length`, async () => {
    const { id, token } = await world.make()
    let secret = token
    const host = `host: 127.0.0.1:${world.port}`
    for (const more of [
      [],
      ['content-length: 0'],
      ['content-type: application/json', 'content-length: 0'],
      ['accept: */*'],
    ]) {
      const head = [
        `POST /api/tokens/${id}/rotate HTTP/1.1`,
        host,
        `authorization: Bearer ${secret}`,
        ...more,
      ]
      const heard = await world.raw(`${head.join('\r\n')}\r\nconnection: close\r\n\r\n`)
      expect([more, heard.slice(0, 15)]).toEqual([more, 'HTTP/1.1 200 OK'])
      secret = JSON.parse(heard.slice(heard.indexOf('{'))).token
    }
    for (const body of ['{}', '{"grace_seconds":0}']) {
      const { status, json } = await rotate(id, secret, body)
      expect(status).toBe(200)
      secret = json.token
    }
  })

  it(`${verifies('mctx:tokens:rotate:self')} a token rotates itself and only itself`, async () => {
    const [mine, other] = [await world.make({ server_ids: 'all' }), await world.make()]
    for (const id of [other.id, 'mgtk_0000000000000000000000', 'nonsense', world.userKey.id]) {
      const refused = await rotate(id, mine.token)
      expect([id, refused.status, refused.text]).toEqual([id, 403, forbidden])
    }
    expect(await verdict(other.token)).toBe('valid')
    expect((await self(mine)).status).toBe(200)
  })

  it(`${verifies('mctx:tokens:rotate:manager')} admin and operator rotate any token by id, which recovers a lost answer`, async () => {
    const made = await world.make()
    const lost = await self(made)
    expect(lost.status).toBe(200)
    for (const as of [world.keys.operator, world.keys.admin]) {
      const { status, json } = await rotate(made.id, as)
      expect([status, await verdict(json.token)]).toEqual([200, 'valid'])
    }
    expect(await verdict(lost.json.token)).toBe('unknown')
    const { id } = await world.newUserKey(world.project)
    expect((await rotate(id, world.keys.operator)).status).toBe(200)
  })

  describe('with grace_seconds', () => {
    it(`${verifies('mctx:tokens:rotate:grace')} the old secret opens servers and reads its own token that long, and is 401 for everything else`, async () => {
      const made = await world.make({ server_ids: 'all' })
      const { json } = await self(made, { grace_seconds: 60 })
      const old = made.token
      const authorization = `Bearer ${old}`
      const { server } = world.project
      const opens = await world.op('validate_token', { token: old, server: server.slug })
      const asked = await world.send('/mcp/validate', { headers: { authorization } })
      expect([opens.verdict, asked.status, await status(made.id, old)]).toEqual(['valid', 200, 200])
      const refused = [
        await world.ask('GET /api/tokens', { as: old }),
        await world.ask('POST /api/tokens', { as: old, body: { name: 'x' } }),
        await world.ask('POST /api/tokens', { as: old, body: '{broken' }),
        await world.ask(`PATCH /api/tokens/${made.id}`, { as: old, body: { name: 'x' } }),
        await world.ask(`PATCH /api/tokens/${made.id}`, { as: old, body: { colour: 1 } }),
        await world.ask(`DELETE /api/tokens/${made.id}`, { as: old }),
        await world.ask('GET /api/tokens/mgtk_0000000000000000000000', { as: old }),
        await world.ask('GET /api/tokens/a/b', { as: old }),
        await world.ask('PUT /api/tokens', { as: old }),
        await rotate(made.id, old),
        await rotate(made.id, old, { grace_seconds: -1 }),
        await rotate(made.id, old, '{broken'),
      ]
      for (const tool of ['rotate_token', 'list_magic_tokens'])
        refused.push(
          await world.send('/mcp', {
            method: 'POST',
            headers: { authorization, 'content-type': 'application/json' },
            body: JSON.stringify({
              jsonrpc: '2.0',
              id: 1,
              method: 'tools/call',
              params: { name: tool, arguments: { token_id: made.id } },
            }),
          }),
        )
      for (const { status, text, headers } of refused) {
        expect([status, text]).toEqual([401, unauthorized])
        expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
      }
      expect(await verdict(json.token)).toBe('valid')
      world.clock.pass(59_999)
      expect(await status(made.id, old)).toBe(200)
      world.clock.pass(1)
      expect([await status(made.id, old), await status(made.id, json.token)]).toEqual([401, 200])
      for (const grace_seconds of [-1, 86_401, 1.5, '60', null, [60], true]) {
        const refused = await rotate(made.id, world.keys.operator, { grace_seconds })
        expect(told(refused)).toEqual([
          400,
          -32602,
          'Invalid params: grace_seconds must be a whole number from 0 to 86400',
        ])
      }
    })

    it('R44: the grace ends with the token', async () => {
      const made = await world.make({ expires_at: world.later(30_000) })
      const { json } = await self(made, { grace_seconds: 86_400 })
      expect(await status(made.id, made.token)).toBe(200)
      world.clock.pass(30_000)
      expect([await status(made.id, made.token), await status(made.id, json.token)]).toEqual([401, 401])
      await world.ask(`PATCH /api/tokens/${made.id}`, { body: { expires_in_days: 1 } })
      expect([await status(made.id, made.token), await status(made.id, json.token)]).toEqual([401, 200])
    })

    it('R38, R44: what a predecessor tries is on record with the token it belonged to', async () => {
      const made = await world.make()
      await self(made, { grace_seconds: 60 })
      const trail = await trailOf(world.beside, async () => {
        await world.ask(`DELETE /api/tokens/${made.id}`, { as: made.token })
        await rotate(made.id, made.token)
      })
      expect(trail.map(({ action, outcome, actor_id }) => [action, outcome, actor_id])).toEqual([
        ['revoke_token', 'denied', made.id],
        ['rotate_token', 'denied', made.id],
      ])
    })
  })

  it(`${verifies('mctx:tokens:rotate:dead')} a revoked or expired token is 401 to itself and 409 to owner and manager`, async () => {
    const { user_id: owner_id, project_id } = world.project
    const soon = new Date(world.clock.now + 30_000).toISOString()
    const revoked = await makeToken(world.beside, { owner_id, project_id })
    const expired = await makeToken(world.beside, { owner_id, project_id, expires_at: soon })
    await world.ask(`DELETE /api/tokens/${revoked.id}`)
    world.clock.pass(30_000)
    for (const [{ id, secret }, state] of [
      [revoked, 'revoked'],
      [expired, 'expired'],
    ] as const) {
      expect((await rotate(id, secret)).text).toBe(unauthorized)
      for (const as of [world.userKey.secret, world.keys.operator, world.keys.admin])
        expect(told(await rotate(id, as))).toEqual([409, -32009, `Conflict: the token is ${state}`])
      expect((await world.ask(`GET /api/tokens/${id}`)).json.prefix).toBe(secret.slice(0, 12))
    }
  })

  it(`${verifies('mctx:tokens:rotate:disabled')} a disabled token does not rotate itself, and stays disabled when a manager rotates it`, async () => {
    const made = await world.make()
    await world.op('set_token_enabled', { token_id: made.id, enabled: false })
    expect((await self(made)).text).toBe(unauthorized)
    const { status: answered, json } = await rotate(made.id, world.keys.operator)
    expect([answered, json.status, await status(made.id, json.token)]).toEqual([200, 'disabled', 401])
    await world.op('set_token_enabled', { token_id: made.id, enabled: true })
    expect([await status(made.id, json.token), await status(made.id, made.token)]).toEqual([200, 401])
  })

  it(`${verifies('mctx:tokens:rotate:address')} from an address outside its list a token is not rotated`, async () => {
    const made = await world.make({ allowed_ips: ['192.0.2.1'] })
    const refused = await self(made)
    expect([refused.status, refused.text]).toEqual([403, ipNotAllowed])
    await world.ask(`PATCH /api/tokens/${made.id}`, { body: { allowed_ips: ['127.0.0.1'] } })
    expect(await status(made.id, made.token)).toBe(200)
  })

  it('R19: a token that outlives max_lifetime_days is not rotated, and the refusal says what to do first', async () => {
    const made = await world.make({ expires_in_days: 90 })
    await setPolicy(world.beside, { max_lifetime_days: 10 })
    try {
      const rule = 'Conflict: the token outlives max_lifetime_days; shorten it with PATCH first'
      expect(told(await self(made))).toEqual([409, -32009, rule])
      await world.ask(`PATCH /api/tokens/${made.id}`, { body: { expires_in_days: 10 } })
      expect((await self(made)).status).toBe(200)
    } finally {
      await setPolicy(world.beside, { max_lifetime_days: null })
    }
  })
})
