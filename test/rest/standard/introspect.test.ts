import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { plantGroup, plantKey, plantServer, plantUser } from '../../support/world.ts'
import { badSecrets, openWorld, type World } from './world.ts'

const inactive = '{"active":false}'

describe.each(databases)('POST /oauth2/introspect on $name', (one) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(one)
  })
  afterAll(() => world.close())

  it('RFC 7662: an active token is described member by member, and kept by nobody on the way', async () => {
    const { project_id, user_id, server } = world.project
    const elsewhere = await plantServer(world.beside)
    const groups = [
      await plantGroup(world.beside, [server.id]),
      await plantGroup(world.beside, [elsewhere.id]),
    ]
    const from = new Date(world.clock.now - 1_500).toISOString()
    const until = new Date(world.clock.now + 86_400_500).toISOString()
    const made = await world.token({
      name: 'Build “robot”',
      owner_id: user_id,
      project_id,
      access: { groups },
      not_before: from,
      expires_at: until,
    })
    const { token } = await world.op('get_token', { token_id: made.id })
    const answer = await world.introspect(made.secret, { token_type_hint: 'access_token' })
    const seconds = (iso: string) => Math.floor(Date.parse(iso) / 1_000)
    const slugs = token.access.groups.map(({ slug }: { slug: string }) => slug).sort()
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({
      active: true,
      token_type: 'Bearer',
      client_id: made.id,
      jti: made.id,
      sub: user_id,
      username: token.owner_email,
      iss: world.url,
      iat: seconds(token.created_at),
      nbf: seconds(from),
      exp: seconds(until),
      // What a group holds of other projects is not in reach.
      scope: server.slug,
      name: 'Build “robot”',
      kind: 'access',
      project_id,
      groups: slugs,
      servers: [server.slug],
    })
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.text).not.toContain(made.secret.slice(0, 12))
  })

  it('a token that has nothing says so by what is left out', async () => {
    const made = await world.token({ name: 'bare', expires_in_days: 1 })
    const { token } = await world.op('get_token', { token_id: made.id })
    expect((await world.introspect(made.secret)).json).toEqual({
      active: true,
      token_type: 'Bearer',
      client_id: made.id,
      jti: made.id,
      sub: made.id,
      iss: world.url,
      iat: Math.floor(Date.parse(token.created_at) / 1_000),
      exp: Math.floor(Date.parse(token.expires_at) / 1_000),
      scope: '',
      name: 'bare',
      kind: 'access',
      project_id: null,
      groups: [],
      servers: [],
    })
    const forever = await world.plant({ expires_at: null, name: null })
    const { json } = await world.introspect(forever.secret)
    expect([json.active, 'exp' in json, json.name]).toEqual([true, false, null])
  })

  it('a user key is a token, and one of every server has them all in its scope, in the order of their bytes', async () => {
    const { project_id, user_id, server } = world.project
    const more = await plantServer(world.beside, { config_id: world.project.config_id })
    const { delivery, token } = await world.op('generate_user_key', {
      user_id,
      project_id,
      delivery: 'inline',
    })
    const { json } = await world.introspect(delivery.secret)
    const slugs = [server.slug, more.slug].sort()
    expect(json).toMatchObject({
      active: true,
      jti: token.id,
      kind: 'user_key',
      sub: user_id,
      servers: slugs,
    })
    expect(json.scope).toBe(slugs.join(' '))
  })

  it('what it reaches, and its groups, are those of the moment', async () => {
    const [a, b] = [await plantServer(world.beside), await plantServer(world.beside)]
    const group = await plantGroup(world.beside, [b.id])
    const made = await world.token({ access: { servers: [a.id] } })
    const seen = async () => {
      const { servers, groups } = (await world.introspect(made.secret)).json
      return [servers, groups.length]
    }
    expect(await seen()).toEqual([[a.slug], 0])
    await world.op('add_groups', { token_id: made.id, group_ids: [group] })
    expect(await seen()).toEqual([[a.slug, b.slug].sort(), 1])
    await world.op('delete_server', { server_id: a.id })
    expect(await seen()).toEqual([[b.slug], 1])
    await world.op('delete_group', { group_id: group })
    expect(await seen()).toEqual([[], 0])
  })

  it('R30: everything else is the same bytes, to every role, with and without a question', async () => {
    const here = await plantServer(world.beside)
    const rules = { allow: [`${here.slug}/read`] }
    const access = { servers: [here.id], tool_rules: rules }
    const bound = await world.token({ access, allowed_ips: ['192.0.2.0/24'] })
    const good = { server: here.slug, tool: 'read', ip: '192.0.2.1' }
    const narrow: [string, string, Record<string, string>][] = [
      ['another address', bound.secret, { ...good, ip: '198.51.100.1' }],
      ['another server', bound.secret, { ...good, server: world.project.server.slug }],
      ['no server', bound.secret, { ...good, server: '' }],
      ['no such server', bound.secret, { ...good, server: '*' }],
      ['another tool', bound.secret, { ...good, tool: 'write' }],
    ]
    const whole = Object.entries(await badSecrets(world)).flatMap(([what, secret]): typeof narrow => [
      [what, secret, {}],
      [what, secret, good],
    ])
    const keys = Object.entries(world.keys).map(([role, { secret }]): (typeof narrow)[number] => [
      `a key of role ${role}`,
      secret,
      {},
    ])
    const long: typeof narrow = [
      ['a long text', 'x'.repeat(5_000), {}],
      ['NUL', 'mcpt_\0', {}],
    ]
    for (const { secret: as } of Object.values(world.keys)) {
      for (const [what, secret, more] of [...narrow, ...whole, ...keys, ...long]) {
        const { status, text } = await world.introspect(secret, more, as)
        expect([what, more, status, text]).toEqual([what, more, 200, inactive])
      }
      expect((await world.introspect(bound.secret, good, as)).json.active).toBe(true)
      expect((await world.introspect(bound.secret, { ...good, server: here.id }, as)).json.active).toBe(true)
    }
  })

  it('R15, R30: a key bound to a project gets the same bytes for a token outside of it, which is no use of that', async () => {
    const { project_id } = world.project
    const { secret: bound } = await plantKey(world.beside, 'management', { role: 'reader', project_id })
    const outside = await world.token()
    const inside = await world.token({ project_id })
    expect((await world.introspect(outside.secret, {}, bound)).text).toBe(inactive)
    expect((await world.introspect(inside.secret, {}, bound)).json).toMatchObject({
      active: true,
      jti: inside.id,
    })
    await world.beside.core.uses.flush()
    const { token } = await world.op('get_token', { token_id: outside.id })
    expect([token.use_count, token.last_used_at]).toEqual([0, null])
  })

  it('a success is one use of the token, at the address that was asked for; a refusal is none', async () => {
    const made = await world.token()
    await world.introspect(made.secret, { ip: '192.0.2.7' })
    const first = (await world.op('get_token', { token_id: made.id })).token
    expect([first.use_count, first.last_used_ip]).toEqual([1, '192.0.2.7'])
    await world.introspect(made.secret, { server: 'nowhere' })
    expect((await world.op('get_token', { token_id: made.id })).token.use_count).toBe(1)
  })

  it(`${verifies('mctx:tokens:rotate:grace', 'metorial:tokens:rotate:grace', 'gassapi:token:rotate:grace', 'enkrypt:keys:rotate:grace')} R44: in its grace a predecessor is active until that is over, then only the new secret is`, async () => {
    const old = await world.token()
    const { delivery } = await world.op('rotate_token', { token_id: old.id, grace_seconds: 60 })
    const end = Math.floor((world.clock.now + 60_000) / 1_000)
    const before = (await world.introspect(old.secret)).json
    expect([before.active, before.jti, Math.abs(before.exp - end)]).toEqual([
      true,
      old.id,
      expect.any(Number),
    ])
    expect(Math.abs(before.exp - end)).toBeLessThanOrEqual(1)
    expect((await world.introspect(delivery.secret)).json.exp).toBeGreaterThan(end)
    world.clock.pass(60_001)
    expect((await world.introspect(old.secret)).text).toBe(inactive)
    expect((await world.introspect(delivery.secret)).json.active).toBe(true)
  })

  it('a change by another process acts on the next request', async () => {
    const made = await world.token()
    for (let at = 0; at < 20; at++) {
      expect((await world.introspect(made.secret)).json.active).toBe(true)
      const enabled = { enabled: at % 2 }
      await world.beside.core.store.write((db) =>
        db.updateTable('tokens').set(enabled).where('id', '=', made.id).execute(),
      )
      const { text } = await world.introspect(made.secret)
      expect(text === inactive).toBe(at % 2 === 0)
      await world.beside.core.store.write((db) =>
        db.updateTable('tokens').set({ enabled: 1 }).where('id', '=', made.id).execute(),
      )
    }
  })

  it('R13: every role asks, tokens do not, and a predecessor is nobody', async () => {
    const good = await world.token()
    const ask = async (as: string | null) => {
      const { status, json } = await world.form('/oauth2/introspect', { token: good.secret }, as)
      return [status, json.error ?? json.active]
    }
    for (const { secret } of Object.values(world.keys)) expect(await ask(secret)).toEqual([200, true])
    const owner_id = await plantUser(world.beside)
    const userKey = await plantKey(world.beside, 'user_key', { owner_id })
    expect(await ask(good.secret)).toEqual([403, 'insufficient_scope'])
    expect(await ask(userKey.secret)).toEqual([403, 'insufficient_scope'])
    const old = await world.token()
    await world.op('rotate_token', { token_id: old.id, grace_seconds: 60 })
    expect(await ask(old.secret)).toEqual([401, 'invalid_client'])
    expect(await ask(null)).toEqual([401, 'invalid_client'])
  })

  it('the same operation answers at POST /v1/introspect_token, and is kept from models', async () => {
    const made = await world.token()
    const { status, json } = await world.call('introspect_token', { token: made.secret })
    expect([status, json.jti]).toEqual([200, made.id])
    expect((await world.call('introspect_token', { token: 'x' })).text).toBe(inactive)
    const listed = await world.send('/mcp', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${world.adminKey}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    })
    expect(listed.text).toContain('validate_token')
    expect(listed.text).not.toMatch(/introspect_token|revoke_secret/)
  })
})
