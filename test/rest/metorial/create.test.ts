import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digest } from '../../../src/domain/secret.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, leak, plantKey, plantProject, setPolicy, stateTables } from '../../support/world.ts'
import { play } from '../support.ts'
import { openWorld, type Thing, unknownId, type World } from './world.ts'

describe.each(databases)('creating tokens on $name', (database) => {
  let world: World
  let group: Thing
  let server: Thing
  let deletedGroup: Thing
  beforeAll(async () => {
    world = await openWorld(database)
    server = await world.server()
    group = await world.group()
    await world.admin(`POST /magic-mcp-groups/${group.id}/add-servers`, { magic_mcp_server_ids: [server.id] })
    deletedGroup = await world.group()
    await world.admin(`DELETE /magic-mcp-groups/${deletedGroup.id}`)
  })
  afterAll(() => world.close())

  const create = (body: object) => world.operator('POST /magic-mcp-tokens', { name: 'made', ...body })
  const valid = async (secret: string, of?: Thing) =>
    (await world.running.call('validate_token', { token: secret, ...(of ? { server: of.id } : {}) })).json
      .valid as boolean

  /** Expects a refusal of a create that leaves nothing behind. */
  async function refused(body: object, has: object) {
    const before = await contents(world.beside, stateTables.slice(1))
    const all = async () =>
      (await world.running.call('list_magic_tokens', { include_total: true })).json.total
    const count = await all()
    expect((await create(body)).json).toMatchObject({ object: 'error', ...has })
    expect(await contents(world.beside, stateTables.slice(1))).toBe(before)
    expect(await all()).toBe(count)
  }

  it(`${verifies('metorial:tokens:create:ok')} answers the token with a secret that authenticates at once, and one line is in the trail`, async () => {
    const { json } = await play(world.running, world.beside, {
      it: 'creates',
      as: world.keys.operator,
      send: [
        'POST /magic-mcp-tokens',
        { name: 'CI', description: 'nightly', metadata: { a: 1 }, group_ids: [group.id] },
      ],
      status: 200,
      has: {
        object: 'magic_mcp.token',
        status: 'active',
        name: 'CI',
        description: 'nightly',
        metadata: { a: 1 },
        groups: [group],
      },
      audits: [{ action: 'create_token', outcome: 'ok', via: 'metorial' }],
    })
    const own = await world.as(json.secret)(`GET /magic-mcp-tokens/${json.id}`)
    expect([own.status, own.json.id]).toEqual([200, json.id])
    expect(await valid(json.secret)).toBe(true)
  })

  it(`${verifies('metorial:tokens:create:name-required')} a name must be given and may be given twice`, async () => {
    for (const body of [{}, { description: 'refused' }]) {
      const { json } = await world.admin('POST /magic-mcp-tokens', body)
      expect(json).toEqual({
        object: 'error',
        ok: false,
        status: 400,
        code: 'invalid_data',
        message: 'The request body is not valid.',
        entity: 'body',
        errors: [
          {
            code: 'invalid_type',
            message: 'Required',
            expected: 'string',
            received: 'undefined',
            path: ['name'],
          },
        ],
      })
    }
    const [one, two] = [await create({ name: 'twin' }), await create({ name: 'twin' })]
    expect([one.status, two.status, one.json.name, two.json.name]).toEqual([200, 200, 'twin', 'twin'])
    expect(one.json.id).not.toBe(two.json.id)
  })

  it(`${verifies('metorial:tokens:create:group-ids-both-spellings')} both spellings count, and are joined`, async () => {
    const other = await world.group()
    const ids = async (body: object) => (await create(body)).json.groups.map(({ id }: Thing) => id)
    expect(await ids({ group_ids: [group.id] })).toEqual([group.id])
    expect(await ids({ magic_mcp_group_ids: [group.id] })).toEqual([group.id])
    expect(await ids({ group_ids: [other.id], magic_mcp_group_ids: [group.id] })).toEqual([
      group.id,
      other.id,
    ])
  })

  it.each(['mggr_x', 5, {}, { 0: 'x' }, [5], [null], [['x']], ['x', true], true])(
    `${verifies('metorial:tokens:create:group-ids-type')} group ids of the form %j are 400`,
    async (ids) => {
      for (const member of ['group_ids', 'magic_mcp_group_ids'])
        await refused({ [member]: ids }, { status: 400, code: 'invalid_data', entity: 'body' })
    },
  )

  it(`${verifies('metorial:tokens:create:group-ids-type')} the same group twice makes one membership, and 150 groups are not too many`, async () => {
    const twice = [group.id, group.id]
    const { json } = await create({ group_ids: twice, magic_mcp_group_ids: twice })
    expect(json.groups).toEqual([group])
    const many: string[] = []
    for (let n = 0; n < 150; n += 1) many.push((await world.group()).id)
    expect((await create({ group_ids: many })).json.groups.map(({ id }: Thing) => id)).toEqual(many)
  })

  it(`${verifies('metorial:tokens:create:unknown-group')} one group that is not there refuses it all and is named`, async () => {
    const own = await world.token()
    for (const id of [unknownId.group, server.id, own.id, 'nonsense', 'a group', 'ä b', "' or 1=1"]) {
      const told = { status: 404, code: 'not_found', entity: 'magic_mcp.group', id }
      await refused({ group_ids: [group.id, id] }, told)
      await refused({ magic_mcp_group_ids: [id] }, told)
    }
    for (const id of ['', 'a\u0000b', '\ud800', 'x'.repeat(5_000)])
      await refused({ group_ids: [id] }, { status: 404, entity: 'magic_mcp.group' })
  })

  it(`${verifies('metorial:tokens:create:deleted-group')} a deleted group is 412`, async () => {
    const id = deletedGroup.id
    const told = { status: 412, code: 'precondition_failed', entity: 'magic_mcp.group', id }
    await refused({ group_ids: [group.id, id] }, told)
    await refused({ magic_mcp_group_ids: [id], magic_mcp_server_id: server.id }, told)
  })

  it(`${verifies('metorial:tokens:create:no-groups-unlocked')} without groups and server it reaches all servers`, async () => {
    const later = await world.server()
    for (const body of [
      {},
      { group_ids: [] },
      { magic_mcp_group_ids: [] },
      { group_ids: [], magic_mcp_group_ids: [] },
    ]) {
      const { json } = await create(body)
      expect(json.access).toEqual({ all_servers: true, magic_mcp_server_ids: [] })
      expect([await valid(json.secret, server), await valid(json.secret, later)]).toEqual([true, true])
    }
  })

  it(`${verifies('metorial:tokens:create:groups-locked')} with a group it reaches the servers in it and a server named beside it`, async () => {
    const [beside, outside] = [await world.server(), await world.server()]
    const locked = (await create({ group_ids: [group.id] })).json
    expect(locked.access).toEqual({ all_servers: false, magic_mcp_server_ids: [] })
    expect(await valid(locked.secret, server)).toBe(true)
    expect(await valid(locked.secret, beside)).toBe(false)
    const both = (await create({ group_ids: [group.id], magic_mcp_server_id: beside.id })).json
    expect(both.access).toEqual({ all_servers: false, magic_mcp_server_ids: [beside.id] })
    const reached = [server, beside, outside].map((one) => valid(both.secret, one))
    expect(await Promise.all(reached)).toEqual([true, true, false])
  })

  it(`${verifies('metorial:tokens:create:server-id')} a server is reached alone, and never dropped`, async () => {
    const { json } = await create({ magic_mcp_server_id: server.id })
    expect(json.access).toEqual({ all_servers: false, magic_mcp_server_ids: [server.id] })
    expect([await valid(json.secret, server), await valid(json.secret, await world.server())]).toEqual([
      true,
      false,
    ])
    for (const id of [unknownId.server, group.id, server.slug, server.name, 'nonsense'])
      await refused({ magic_mcp_server_id: id }, { status: 404, entity: 'magic_mcp.server', id })
    for (const id of ['', 'a\u0000'])
      await refused({ magic_mcp_server_id: id }, { status: 404, entity: 'magic_mcp.server' })
    const gone = await world.server()
    await world.admin(`DELETE /magic-mcp-servers/${gone.id}`)
    const told = { status: 412, code: 'precondition_failed', entity: 'magic_mcp.server', id: gone.id }
    await refused({ magic_mcp_server_id: gone.id }, told)
    await refused({ magic_mcp_server_id: gone.id, group_ids: [group.id] }, told)
    for (const wrong of [5, [server.id], {}])
      await refused({ magic_mcp_server_id: wrong }, { status: 400, code: 'invalid_data' })
  })

  it('an endpoint is always 404, whatever else is named', async () => {
    const told = { status: 404, code: 'not_found', entity: 'magic_mcp.endpoint', id: 'mgep_x' }
    const named = { magic_mcp_endpoint_id: 'mgep_x' }
    for (const beside of [
      {},
      { group_ids: [deletedGroup.id] },
      { group_ids: [unknownId.group] },
      { magic_mcp_server_id: server.id },
    ])
      await refused({ ...named, ...beside }, told)
  })

  it(`${verifies('metorial:tokens:create:permanent')} no expiry, no owner, no project, no address list; a bound key gives its project`, async () => {
    const show = async (id: string) => (await world.running.call('get_token', { token_id: id })).json.token
    for (const send of [world.admin, world.operator]) {
      const { json } = await send('POST /magic-mcp-tokens', { name: 'permanent' })
      expect(await show(json.id)).toMatchObject({
        kind: 'access',
        expires_at: null,
        not_before: null,
        owner_id: null,
        project_id: null,
        allowed_ips: null,
      })
    }
    const project = await plantProject(world.beside)
    const key = await plantKey(world.beside, 'management', { project_id: project.project_id })
    const bound = await world.as(key.secret)('POST /magic-mcp-tokens', { name: 'bound' })
    expect(bound.json.access.all_servers).toBe(true)
    expect(await show(bound.json.id)).toMatchObject({
      project_id: project.project_id,
      expires_at: null,
      owner_id: null,
    })
    // It never reaches past its project, whatever its groups hold.
    expect(await valid(bound.json.secret, project.server)).toBe(true)
    expect(await valid(bound.json.secret, server)).toBe(false)
    const grouped = await world.as(key.secret)('POST /magic-mcp-tokens', { name: 'x', group_ids: [group.id] })
    expect([grouped.status, await valid(grouped.json.secret, server)]).toEqual([200, false])
    const foreign = await world.as(key.secret)('POST /magic-mcp-tokens', {
      name: 'x',
      magic_mcp_server_id: server.id,
    })
    expect(foreign.json).toMatchObject({ status: 404, entity: 'magic_mcp.server' })
  })

  it('R15: a key with an expiry or an address list of its own hands out no more than it has', async () => {
    const ends = await plantKey(world.beside, 'management', { expires_at: '2999-01-01T00:00:00.000Z' })
    expect((await world.as(ends.secret)('POST /magic-mcp-tokens', { name: 'x' })).status).toBe(403)
    const here = await plantKey(world.beside, 'management', { allowed_ips: '["127.0.0.1"]' })
    const made = await world.as(here.secret)('POST /magic-mcp-tokens', { name: 'x' })
    const { token } = (await world.running.call('get_token', { token_id: made.json.id })).json
    expect(token.allowed_ips).toEqual(['127.0.0.1'])
  })

  it(`${verifies('metorial:tokens:create:permanent-refused')} once max_lifetime_days is set nothing without an end is made`, async () => {
    await setPolicy(world.beside, { max_lifetime_days: 30 })
    for (const body of [{}, { group_ids: [unknownId.group] }]) {
      await refused(body, {
        status: 400,
        code: 'bad_request',
        reason: 'max_lifetime_days',
        message: 'Tokens without an expiry are not allowed here: max_lifetime_days is set.',
      })
    }
    await setPolicy(world.beside, { max_lifetime_days: null })
    const { id } = (await create({})).json
    await setPolicy(world.beside, { max_lifetime_days: 30 })
    const rotated = await world.admin(`POST /magic-mcp-tokens/${id}/rotate`)
    expect(rotated.json).toMatchObject({ status: 409, code: 'conflict' })
    await setPolicy(world.beside, { max_lifetime_days: null })
    expect((await world.admin(`POST /magic-mcp-tokens/${id}/rotate`)).status).toBe(200)
  })

  it(`${verifies('metorial:tokens:create:secret-once')} no later answer and no stored byte holds the secret; the store keeps its HMAC-SHA-256`, async () => {
    const { id, secret } = (await create({ name: 'once' })).json
    const path = `/magic-mcp-tokens/${id}`
    for (const [line, body] of [
      [`GET ${path}`],
      ['GET /magic-mcp-tokens?order=desc'],
      [`PATCH ${path}`, { name: 'x' }],
      [`POST ${path}/add-groups`, { magic_mcp_group_ids: [group.id] }],
      [`POST ${path}/remove-groups`, { magic_mcp_group_ids: [group.id] }],
      [`POST ${path}/rotate`, { grace_seconds: 60 }],
      [`DELETE ${path}`],
      [`GET ${path}`],
    ] as [string, unknown?][]) {
      const { status, text } = await world.admin(line, body)
      expect([line, status, leak(Buffer.from(text), secret)]).toEqual([line, 200, -1])
    }
    const { core } = world.beside
    const kept = await core.store.read
      .selectFrom('tokens')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    expect(kept.previous_hash?.equals(digest(core.keys.pepper, secret))).toBe(true)
    const everything = [await contents(world.beside, [...stateTables, 'audit']), ...world.running.log].join(
      '\n',
    )
    expect(leak(Buffer.from(everything), secret)).toBe(-1)
    if (database.name === 'sqlite') {
      for (const file of ['tokenwright.db', 'tokenwright.db-wal'])
        expect(leak(readFileSync(`${world.running.place.dataDir}/${file}`), secret)).toBe(-1)
    }
  })
})
