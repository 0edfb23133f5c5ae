import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, plantServer, stateTables, trailOf } from '../../support/world.ts'
import { day, forbidden, openWorld, type Token, told, type World } from './world.ts'

describe.each(databases)('PATCH and DELETE /api/tokens/{id} on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const edit = (id: string, body: unknown, as = world.keys.operator) =>
    world.ask(`PATCH /api/tokens/${id}`, { as, body })
  const get = async (id: string): Promise<Token> => (await world.ask(`GET /api/tokens/${id}`)).json
  const status = async ({ id, token }: Token) =>
    (await world.ask(`GET /api/tokens/${id}`, { as: token })).status
  const expired = async () => {
    const token = await world.make({ expires_at: world.later(60_000) })
    world.clock.pass(60_000)
    return token
  }

  it(`${verifies('mctx:tokens:edit:name')} renames by the rules of create`, async () => {
    const { id } = await world.make()
    for (const name of ['deploy', '  blanks stay ', 'n'.repeat(200)]) {
      const { status, json } = await edit(id, { name })
      expect([status, json.name, (await get(id)).name]).toEqual([200, name, name])
    }
    for (const name of [null, '', ' ', 'n'.repeat(201), 7, ['x'], 'a\u0007', 'mgtk_0mwrz4t4bIl4gYSrqYqiF3']) {
      const refused = await edit(id, { name })
      expect([name, ...told(refused).slice(0, 2)]).toEqual([name, 400, -32602])
      expect(told(refused)[2]).toMatch(/^Invalid params: name /)
    }
    expect((await get(id)).name).toBe('n'.repeat(200))
  })

  it(`${verifies('mctx:tokens:edit:expiry')} sets an end that counts from now, sooner or later than before`, async () => {
    const made = await world.make({ expires_in_days: 30 })
    world.clock.pass(day)
    for (const days of [7, 90, 1, 45]) {
      const { json } = await edit(made.id, { expires_in_days: days })
      expect(json.expires_at).toBe(world.later(days * day))
    }
    const end = world.later(3 * day)
    expect((await edit(made.id, { expires_at: end })).json.expires_at).toBe(end)
    const bad = [0, 91, 1.5, '30', null, -1].map((expires_in_days) => ({ expires_in_days }))
    const times = [null, world.later(-1), world.later(91 * day), 'soon', 7].map((expires_at) => ({
      expires_at,
    }))
    for (const body of [...bad, ...times, { expires_in_days: 3, expires_at: end }]) {
      const refused = await edit(made.id, body)
      expect([JSON.stringify(body), ...told(refused).slice(0, 2)]).toEqual([
        JSON.stringify(body),
        400,
        -32602,
      ])
      expect(told(refused)[2]).toMatch(/^Invalid params: expires_/)
    }
    expect((await get(made.id)).expires_at).toBe(end)
    await edit(made.id, { expires_at: world.later(1_000) })
    world.clock.pass(1_000)
    expect(await status(made)).toBe(401)
  })

  it(`${verifies('mctx:tokens:edit:allowed-ips')} replaces the address list whole, or lifts it, from the next request on`, async () => {
    const made = await world.make()
    const { json } = await edit(made.id, { allowed_ips: ['192.0.2.1', ' 198.51.100.0/24 '] })
    expect(json.allowed_ips).toEqual(['192.0.2.1', '198.51.100.0/24'])
    expect(await status(made)).toBe(403)
    expect((await edit(made.id, { allowed_ips: ['127.0.0.1'] })).json.allowed_ips).toEqual(['127.0.0.1'])
    expect(await status(made)).toBe(200)
    await edit(made.id, { allowed_ips: ['192.0.2.1'] })
    expect(await status(made)).toBe(403)
    expect((await edit(made.id, { allowed_ips: null })).json.allowed_ips).toBeNull()
    expect(await status(made)).toBe(200)
    for (const allowed_ips of [[], ['x'], ['10.0.0.0/33'], '10.0.0.1', [null]])
      expect((await edit(made.id, { allowed_ips })).status).toBe(400)
    expect((await get(made.id)).allowed_ips).toBeNull()
  })

  it(`${verifies('mctx:tokens:edit:absent-kept', 'mctx:tokens:edit:secret-kept')} changes what is sent and nothing else; a body that says nothing is refused`, async () => {
    const server = await plantServer(world.beside)
    const start = await world.make({
      server_ids: [server.id],
      allowed_ips: ['127.0.0.1'],
      expires_in_days: 9,
    })
    const { token: secret, ...made } = start
    let known: object = made
    for (const change of [
      { name: 'renamed' },
      { expires_at: world.later(5 * day) },
      { allowed_ips: ['127.0.0.0/8'] },
      { name: 'both', allowed_ips: null },
    ]) {
      const { json } = await edit(made.id, change)
      expect(json).toEqual({ ...known, ...change })
      known = json
    }
    expect(await status({ ...start, token: secret })).toBe(200)
    for (const body of [{}, undefined, '{}']) {
      const refused = await world.ask(`PATCH /api/tokens/${made.id}`, body === undefined ? {} : { body })
      expect(told(refused)).toEqual([
        400,
        -32602,
        'Invalid params: give name, expires_in_days, expires_at or allowed_ips',
      ])
    }
  })

  it(`${verifies('mctx:tokens:edit:servers-refused')} the servers of a token cannot be changed, beside whatever else`, async () => {
    const { id, token: _, ...made } = await world.make()
    const rule = 'Invalid params: the servers of a token cannot be changed; create a new token'
    for (const member of ['server_ids', 'servers', 'scopes', 'all_servers']) {
      for (const value of [[], 'all', null, true, [world.project.server.id]]) {
        expect(told(await edit(id, { [member]: value }))).toEqual([400, -32602, rule])
        expect(told(await edit(id, { name: 'x', [member]: value }))).toEqual([400, -32602, rule])
        expect(told(await edit(id, { name: 7, colour: 1, [member]: value }))).toEqual([400, -32602, rule])
      }
    }
    expect(await get(id)).toEqual({ id, ...made })
  })

  it(`${verifies('mctx:tokens:edit:dead')} a revoked token does not change; an expired one is renamed and prolonged, and works again`, async () => {
    const revoked = await world.make()
    await world.ask(`DELETE /api/tokens/${revoked.id}`)
    for (const body of [{ name: 'x' }, { expires_in_days: 1 }, { allowed_ips: null }])
      expect(told(await edit(revoked.id, body))).toEqual([409, -32009, 'Conflict: the token is revoked'])
    const over = await expired()
    expect(await status(over)).toBe(401)
    for (const body of [
      { allowed_ips: ['127.0.0.1'] },
      { allowed_ips: null },
      { allowed_ips: null, expires_in_days: 1 },
    ])
      expect(told(await edit(over.id, body))).toEqual([409, -32009, 'Conflict: the token is expired'])
    expect((await edit(over.id, { name: 'late' })).json).toMatchObject({ name: 'late', status: 'expired' })
    expect((await edit(over.id, { expires_in_days: 1 })).json.status).toBe('active')
    expect(await status(over)).toBe(200)
    const again = await expired()
    expect((await edit(again.id, { expires_at: world.later(day) })).status).toBe(200)
    expect(await status(again)).toBe(200)
  })

  it(`${verifies('mctx:tokens:edit:caller')} is refused to API tokens, also on themselves, to readers, and to a user API key on itself`, async () => {
    const mine = await world.make()
    const own = await world.make({}, world.userKey.secret)
    await world.beside.core.uses.flush()
    await world.ask(`GET /api/tokens/${mine.id}`)
    const before = await contents(world.beside, ['token_servers', 'groups', 'settings'])
    for (const [as, id] of [
      [mine.token, mine.id],
      [mine.token, own.id],
      [own.token, own.id],
      [world.keys.reader, mine.id],
      [world.userKey.secret, world.userKey.id],
    ] as const) {
      for (const body of [{ name: 'x' }, { expires_in_days: 1 }, { allowed_ips: null }]) {
        const trail = await trailOf(world.beside, async () => {
          const refused = await edit(id, body, as)
          expect([refused.status, refused.text]).toEqual([403, forbidden])
        })
        const denied = trail.filter(({ action }) => action === 'update_token')
        expect(denied).toMatchObject([{ outcome: 'denied', target_id: id }])
      }
    }
    expect([(await get(mine.id)).name, (await get(own.id)).name]).toEqual(['made', 'made'])
    expect(await contents(world.beside, ['token_servers', 'groups', 'settings'])).toBe(before)
    expect((await edit(own.id, { name: 'mine' }, world.userKey.secret)).json.name).toBe('mine')
  })

  it(`${verifies('mctx:tokens:revoke:ok', 'mctx:tokens:revoke:again')} DELETE ends a token whatever its state, and a second one answers the same`, async () => {
    const disabled = await world.make()
    await world.op('set_token_enabled', { token_id: disabled.id, enabled: false })
    for (const { id } of [await world.make(), disabled, await expired()]) {
      const now = world.later(0)
      const trail = await trailOf(world.beside, async () => {
        const { status, json } = await world.ask(`DELETE /api/tokens/${id}`)
        expect([status, json.id, json.status, json.revoked_at]).toEqual([200, id, 'revoked', now])
      })
      expect(trail.filter(({ action }) => action === 'revoke_token')).toMatchObject([
        { outcome: 'ok', target_id: id },
      ])
      const first = await get(id)
      world.clock.pass(5_000)
      const again = await world.ask(`DELETE /api/tokens/${id}`)
      expect([again.status, again.json]).toEqual([200, first])
      expect(first.revoked_at).toBe(now)
    }
  })

  it(`${verifies('mctx:tokens:revoke:effect')} the secret and its predecessor are refused from the next request on, everywhere`, async () => {
    const { id, token: old } = await world.make({ server_ids: 'all' })
    const { json } = await world.ask(`POST /api/tokens/${id}/rotate`, { body: { grace_seconds: 600 } })
    const tries = async (as: string) => {
      const authorization = `Bearer ${as}`
      const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
      const mcp = world.send('/mcp', {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(list),
      })
      const answers = await Promise.all([
        world.ask(`GET /api/tokens/${id}`, { as }),
        mcp,
        world.send('/mcp/validate', { headers: { authorization } }),
      ])
      return answers.map(({ status }) => status)
    }
    expect([await tries(old), await tries(json.token)]).toEqual([
      [200, 200, 200],
      [200, 200, 200],
    ])
    await world.ask(`DELETE /api/tokens/${id}`)
    expect([await tries(old), await tries(json.token)]).toEqual([
      [401, 401, 401],
      [401, 401, 401],
    ])
  })

  it(`${verifies('mctx:tokens:revoke:unknown')} an id that does not exist is 404`, async () => {
    await world.beside.core.uses.flush()
    const before = await contents(world.beside, stateTables)
    for (const id of ['mgtk_0000000000000000000000', 'nonsense'])
      expect(told(await world.ask(`DELETE /api/tokens/${id}`))).toEqual([404, -32004, 'Not Found'])
    expect(await contents(world.beside, stateTables)).toBe(before)
  })

  it(`${verifies('mctx:tokens:revoke:api-token')} an API token revokes nothing, not even itself`, async () => {
    const [mine, other] = [await world.make(), await world.make()]
    for (const id of [mine.id, other.id]) {
      const refused = await world.ask(`DELETE /api/tokens/${id}`, { as: mine.token })
      expect([refused.status, refused.text]).toEqual([403, forbidden])
    }
    expect([await status(mine), await status(other)]).toEqual([200, 200])
  })
})
