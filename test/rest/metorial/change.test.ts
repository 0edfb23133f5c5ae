import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, plantKey, stateTables } from '../../support/world.ts'
import { play } from '../support.ts'
import { openWorld, type Thing, unauthorized, unknownId, type World } from './world.ts'

describe.each(databases)('getting, changing and deleting tokens on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const path = ({ id }: Thing) => `/magic-mcp-tokens/${id}`
  const get = async (token: Thing) => (await world.reader(`GET ${path(token)}`)).json
  const deleted = async () => {
    const token = await world.token()
    await world.admin(`DELETE ${path(token)}`)
    return token
  }

  /** A token that ended a second ago. */
  async function expired() {
    const { json } = await world.running.call('create_token', { name: 'ends', expires_in_days: 1 })
    world.running.clock.pass(86_400_000 + 1_000)
    return { id: json.token.id as string, secret: json.delivery.secret as string }
  }

  it(`${verifies('metorial:tokens:get:ok')} answers the token as create made it`, async () => {
    const { secret, ...token } = await world.token({ description: 'd', metadata: { a: 1 } })
    const { status, json } = await world.reader(`GET ${path(token as Thing)}`)
    expect([status, json]).toEqual([200, { ...token, secret: '' }])
  })

  it(`${verifies('metorial:tokens:get:unknown')} what is no token's id is 404 on every route of a token`, async () => {
    const [group, server] = [await world.group(), await world.server()]
    const named = await world.token({ name: 'by-name' })
    const key = await plantKey(world.beside, 'management')
    const members = { magic_mcp_group_ids: [] }
    const routes: [string, unknown?][] = [
      ['GET'],
      ['PATCH', { name: 'x' }],
      ['DELETE'],
      ['POST /add-groups', members],
      ['POST /remove-groups', members],
      ['POST /rotate', {}],
    ]
    const shown = [
      unknownId.token,
      group.id,
      server.id,
      key.id,
      'nonsense',
      named.name,
      "x' or '1'='1",
      '*',
      'a/b',
      'ü',
    ]
    for (const id of shown) {
      for (const [line, body] of routes) {
        const [method = '', rest = ''] = line.split(' ')
        const answer = await world.admin(`${method} /magic-mcp-tokens/${encodeURIComponent(id)}${rest}`, body)
        expect(answer.json).toEqual({
          object: 'error',
          ok: false,
          status: 404,
          code: 'not_found',
          message: 'The requested magic_mcp.token could not be found.',
          entity: 'magic_mcp.token',
          id,
        })
      }
    }
    for (const id of [
      '%00',
      'a%00b',
      '%zz',
      '%',
      'x'.repeat(2_000),
      '%ff',
      '%2e%2e%2f',
      '%F0%9F%8C%8D'.repeat(100),
    ]) {
      for (const [line, body] of routes) {
        const [method = '', rest = ''] = line.split(' ')
        const { json } = await world.admin(`${method} /magic-mcp-tokens/${id}${rest}`, body)
        expect([id, json]).toMatchObject([id, { status: 404, entity: 'magic_mcp.token' }])
      }
    }
  })

  it(`${verifies('metorial:tokens:get:deleted')} a deleted token is shown as deleted`, async () => {
    const token = await deleted()
    const now = new Date(world.running.clock.now).toISOString()
    expect(await get(token)).toMatchObject({ id: token.id, status: 'deleted', deleted_at: now, secret: '' })
  })

  it(`${verifies('metorial:tokens:update:ok')} sets what is present and leaves the rest; {} changes nothing`, async () => {
    const token = await world.token({ name: 'old', description: 'old', metadata: { old: 1 } })
    let expected: object = { ...token, secret: '' }
    for (const change of [
      { name: 'new' },
      { description: 'new' },
      { metadata: { new: 2 } },
      { name: '', description: '', metadata: {} },
      {},
    ]) {
      const { json } = await play(world.running, world.beside, {
        it: JSON.stringify(change),
        as: world.keys.operator,
        send: [`PATCH ${path(token)}`, change],
        status: 200,
        audits: [{ action: 'update_token', outcome: 'ok', via: 'metorial', target_id: token.id }],
      })
      expected = { ...expected, ...change, updated_at: json.updated_at }
      expect(json).toEqual(expected)
      expect(await get(token)).toEqual(expected)
    }
  })

  it(`${verifies('metorial:tokens:update:metadata-replaced')} metadata is replaced whole`, async () => {
    const token = await world.token({ metadata: { a: { b: 1, c: 2 }, d: 3 } })
    await world.admin(`PATCH ${path(token)}`, { metadata: { a: { b: 9 } } })
    expect((await get(token)).metadata).toEqual({ a: { b: 9 } })
  })

  it(`${verifies('metorial:tokens:update:nothing-else')} nothing but name, description and metadata can be set`, async () => {
    const group = await world.group()
    const token = await world.token({ group_ids: [group.id] })
    const other = await world.group()
    const before = await get(token)
    world.running.clock.pass(1_000)
    const { status, json } = await world.admin(`PATCH ${path(token)}`, {
      status: 'deleted',
      secret: 'mcpt_mine',
      groups: [],
      group_ids: [other.id],
      magic_mcp_group_ids: [other.id],
      magic_mcp_server_id: unknownId.server,
      access: { all_servers: true },
      all_servers: true,
      id: 'mgtk_x',
      disabled: true,
      expires_at: '2001-01-01T00:00:00Z',
      created_at: '2001-01-01T00:00:00Z',
    })
    expect([status, json]).toEqual([200, before])
    expect(await get(token)).toEqual(before)
    expect((await world.as(token.secret)(`GET ${path(token)}`)).status).toBe(200)
  })

  it(`${verifies('metorial:tokens:update:deleted')} a deleted token is 412 and stays as it is`, async () => {
    const token = await deleted()
    const before = await get(token)
    world.running.clock.pass(1_000)
    for (const body of [{ name: 'x' }, {}, { metadata: { a: 1 } }]) {
      const { json } = await world.admin(`PATCH ${path(token)}`, body)
      expect(json).toEqual({
        object: 'error',
        ok: false,
        status: 412,
        code: 'precondition_failed',
        message: 'This magic_mcp.token is deleted.',
        entity: 'magic_mcp.token',
        id: token.id,
      })
    }
    expect(await get(token)).toEqual(before)
  })

  it(`${verifies('metorial:tokens:update:expired')} an expired token takes new texts, can be prolonged and deleted, and its groups are 412`, async () => {
    const group = await world.group()
    const token = await expired()
    const members = { magic_mcp_group_ids: [group.id] }
    const patched = await world.admin(`PATCH ${path(token)}`, {
      name: 'n',
      description: 'd',
      metadata: { m: 1 },
    })
    expect(patched.json).toMatchObject({ name: 'n', description: 'd', metadata: { m: 1 }, status: 'active' })
    for (const verb of ['add-groups', 'remove-groups']) {
      expect((await world.admin(`POST ${path(token)}/${verb}`, members)).json).toMatchObject({
        status: 412,
        code: 'precondition_failed',
        entity: 'magic_mcp.token',
        id: token.id,
      })
    }
    expect((await get(token)).groups).toEqual([])
    expect((await world.as(token.secret)(`GET ${path(token)}`)).status).toBe(401)
    await world.running.call('update_token', { token_id: token.id, expires_in_days: 1 })
    expect((await world.as(token.secret)(`GET ${path(token)}`)).status).toBe(200)
    expect((await world.admin(`POST ${path(token)}/add-groups`, members)).json.groups).toEqual([group])
    const other = await expired()
    expect((await world.admin(`DELETE ${path(other)}`)).json).toMatchObject({
      id: other.id,
      status: 'deleted',
    })
  })

  it(`${verifies('metorial:tokens:delete:ok')} answers the deleted token, with one line in the trail`, async () => {
    const token = await world.token({ name: 'gone' })
    const { json } = await play(world.running, world.beside, {
      it: 'deletes',
      as: world.keys.operator,
      send: [`DELETE ${path(token)}`],
      status: 200,
      audits: [{ action: 'revoke_token', outcome: 'ok', via: 'metorial', target_id: token.id }],
    })
    expect(json).toEqual({
      ...token,
      secret: '',
      status: 'deleted',
      deleted_at: json.deleted_at,
      updated_at: json.deleted_at,
    })
  })

  it(`${verifies('metorial:tokens:delete:effect')} secret and predecessor are refused everywhere from the next request on, for good`, async () => {
    const token = await world.token()
    const rotated = (await world.admin(`POST ${path(token)}/rotate`, { grace_seconds: 600 })).json
    const secrets = [token.secret, rotated.secret]
    const { running } = world
    for (const secret of secrets) expect((await world.as(secret)(`GET ${path(token)}`)).status).toBe(200)
    await world.admin(`DELETE ${path(token)}`)
    const everywhere = async () => {
      for (const secret of secrets) {
        for (const line of [`GET ${path(token)}`, 'GET /magic-mcp-tokens', `POST ${path(token)}/rotate`]) {
          const { status, text } = await world.as(secret)(line)
          expect([line, status, text]).toEqual([line, 401, unauthorized])
        }
        expect((await running.call('get_token', { token_id: token.id }, secret)).status).toBe(401)
        const mcp = {
          method: 'POST',
          headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        }
        expect((await running.send('/mcp', { ...mcp, body: '{}' })).status).toBe(401)
        expect((await running.call('validate_token', { token: secret })).json.valid).toBe(false)
      }
    }
    await everywhere()
    for (const [line, body] of [
      [`PATCH ${path(token)}`, { name: 'x', status: 'active' }],
      [`POST ${path(token)}/rotate`, {}],
    ] as const)
      expect((await world.admin(line, body)).status).toBe(412)
    await running.call('set_token_enabled', { token_id: token.id, enabled: true })
    await running.call('update_token', { token_id: token.id, expires_in_days: 9 })
    await everywhere()
    expect((await get(token)).status).toBe('deleted')
  })

  it(`${verifies('metorial:tokens:delete:again')} a second DELETE is 412 and changes nothing`, async () => {
    const token = await deleted()
    const before = await get(token)
    world.running.clock.pass(5_000)
    const kept = await contents(world.beside, stateTables)
    const again = await world.admin(`DELETE ${path(token)}`)
    expect(again.json).toMatchObject({
      status: 412,
      code: 'precondition_failed',
      entity: 'magic_mcp.token',
      id: token.id,
    })
    expect(await get(token)).toEqual(before)
    expect(await contents(world.beside, stateTables)).toBe(kept)
  })

  it('of twenty deletions at once one wins', async () => {
    const token = await world.token()
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.admin(`DELETE ${path(token)}`)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(412)])
  })
})
