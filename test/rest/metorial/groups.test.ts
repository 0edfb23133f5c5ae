import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, plantKey, plantProject, stateTables } from '../../support/world.ts'
import { play } from '../support.ts'
import { openWorld, type Thing, unknownId, type World } from './world.ts'

describe.each(databases)('groups on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const path = ({ id }: { id: string }) => `/magic-mcp-groups/${id}`
  const get = async (group: Thing) => (await world.reader(`GET ${path(group)}`)).json
  const remove = async (group: Thing) => (await world.operator(`DELETE ${path(group)}`)).json
  const servers = (verb: 'add' | 'remove', group: Thing, ids: unknown) =>
    world.operator(`POST ${path(group)}/${verb}-servers`, { magic_mcp_server_ids: ids })
  const inIt = async (group: Thing): Promise<string[]> =>
    (await world.reader(`GET /magic-mcp-servers?limit=100&magic_mcp_group_id=${group.id}`)).json.items.map(
      ({ id }: Thing) => id,
    )
  const valid = async ({ secret }: Thing, server: Thing) =>
    (await world.running.call('validate_token', { token: secret, server: server.id })).json.valid as boolean

  /** Expects an answer that changes nothing. */
  async function unchanged(work: () => Promise<{ json: unknown }>, has: object) {
    world.running.clock.pass(1_000)
    const before = await contents(world.beside, stateTables)
    expect((await work()).json).toMatchObject(has)
    expect(await contents(world.beside, stateTables)).toBe(before)
  }

  it(`${verifies('metorial:groups:object:shape')} a group has exactly its members in every answer`, async () => {
    const server = await world.server()
    const group = await world.group({ name: 'Weather', description: 'd', metadata: { a: 1 } })
    const now = new Date(world.running.clock.now).toISOString()
    const shape = {
      object: 'magic_mcp.group',
      id: group.id,
      status: 'active',
      slug: group.slug,
      name: 'Weather',
      description: 'd',
      metadata: { a: 1 },
      created_at: now,
      updated_at: now,
    }
    expect(group).toEqual(shape)
    await world.token({ group_ids: [group.id] })
    expect((await servers('add', group, [server.id])).json).toEqual(shape)
    expect(await get(group)).toEqual(shape)
    expect((await world.admin(`PATCH ${path(group)}`, {})).json).toEqual(shape)
    expect((await servers('remove', group, [server.id])).json).toEqual(shape)
    expect((await world.reader('GET /magic-mcp-groups?order=desc&limit=1')).json.items).toEqual([shape])
    expect(await remove(group)).toEqual({ ...shape, status: 'deleted' })
  })

  it(`${verifies('metorial:groups:object:slug')} the slug is made of the name once, and no other group has it`, async () => {
    const slugs: string[] = []
    for (const [name, start] of [
      ['Weather', 'weather'],
      ['My_Group 2', 'my-group-2'],
      ['Grüße', 'gr--e'],
      ['../x', '---x'],
      ['', ''],
      ['Weather', 'weather'],
    ] as const) {
      const { slug, ...group } = await world.group({ name })
      expect(slug).toMatch(new RegExp(`^${start}-[a-z0-9]{6}$`))
      slugs.push(slug)
      const renamed = await world.admin(`PATCH ${path(group as Thing)}`, { name: 'Renamed' })
      expect(renamed.json).toMatchObject({ name: 'Renamed', slug })
    }
    expect(new Set(slugs).size).toBe(slugs.length)
  })

  it(`${verifies('metorial:groups:create:ok')} a name is enough and is needed`, async () => {
    const { json } = await play(world.running, world.beside, {
      it: 'creates',
      as: world.keys.operator,
      send: ['POST /magic-mcp-groups', { name: 'Plain' }],
      status: 200,
      has: { object: 'magic_mcp.group', status: 'active', name: 'Plain', description: null, metadata: {} },
      audits: [{ action: 'create_group', outcome: 'ok', via: 'metorial' }],
    })
    expect(await get(json)).toEqual(json)
    expect(await world.group({ name: 'Plain', description: '', metadata: { x: [] } })).toMatchObject({
      description: '',
      metadata: { x: [] },
    })
    for (const body of [undefined, {}, { description: 'd' }]) {
      expect((await world.admin('POST /magic-mcp-groups', body)).json).toMatchObject({
        status: 400,
        code: 'invalid_data',
        errors: [{ code: 'invalid_type', message: 'Required', path: ['name'] }],
      })
    }
  })

  it(`${verifies('metorial:groups:list:default-hides-deleted')} deleted groups are listed when status asks, archived matches nothing`, async () => {
    const name = 'list of states'
    const [live, gone] = [await world.group({ name }), await world.group({ name })]
    await remove(gone)
    const list = async (query: string) => {
      const { status, json } = await world.reader(
        `GET /magic-mcp-groups?search=${encodeURIComponent(name)}${query}`,
      )
      return status === 200 ? json.items.map(({ id }: Thing) => id) : [status, json.code, json.entity]
    }
    expect(await list('')).toEqual([live.id])
    expect(await list('&status=active')).toEqual([live.id])
    expect(await list('&status=deleted')).toEqual([gone.id])
    expect(await list('&status=archived')).toEqual([])
    expect(await list('&status=archived&status=deleted')).toEqual([gone.id])
    expect(await list('&status[0]=active&status[1]=deleted&status[2]=archived')).toEqual([live.id, gone.id])
    for (const wrong of ['', 'gone', 'Active', 'active,deleted'])
      expect(await list(`&status=${wrong}`)).toEqual([400, 'invalid_data', 'query'])
  })

  it(`${verifies('metorial:groups:list:default-hides-deleted')} pages and orders as tokens do`, async () => {
    const name = 'list in pages'
    const ids: string[] = []
    for (let n = 0; n < 7; n += 1) ids.push((await world.group({ name })).id)
    const page = async (query: string) => {
      const { json } = await world.reader(`GET /magic-mcp-groups?search=in%20pages&${query}`)
      const { has_more_after, has_more_before } = json.pagination
      return [json.items.map(({ id }: Thing) => ids.indexOf(id)), has_more_after, has_more_before]
    }
    expect(await page('limit=3')).toEqual([[0, 1, 2], true, false])
    expect(await page(`limit=3&after=${ids[2]}`)).toEqual([[3, 4, 5], true, true])
    expect(await page(`limit=3&after=${ids[5]}`)).toEqual([[6], false, true])
    expect(await page(`limit=3&before=${ids[5]}`)).toEqual([[2, 3, 4], true, true])
    expect(await page(`limit=3&before=${ids[2]}`)).toEqual([[0, 1], true, false])
    expect(await page('limit=2&order=desc')).toEqual([[6, 5], true, false])
    expect(await page(`limit=2&order=desc&after=${ids[5]}`)).toEqual([[4, 3], true, true])
    expect(await page(`after=${unknownId.group}`)).toEqual([[], false, false])
    await remove({ id: ids[3] ?? '' })
    expect(await page(`limit=2&after=${ids[3]}`)).toEqual([[4, 5], true, false])
    for (const bad of ['limit=0', 'limit=101', 'order=x', 'cursor=x'])
      expect((await world.reader(`GET /magic-mcp-groups?${bad}`)).status).toBe(400)
  })

  it(`${verifies('metorial:groups:list:search')} search is a substring of name or description in any case, and % and _ are plain`, async () => {
    const made = {
      percent: await world.group({ name: 'find 100% of it' }),
      under: await world.group({ name: 'find_me' }),
      text: await world.group({ name: 'x', description: 'to FIND here \\ there' }),
      long: await world.group({ name: 'x', description: `find ${'y'.repeat(1_900)}end` }),
    }
    const search = async (text: string) => {
      const { json } = await world.reader(
        `GET /magic-mcp-groups?limit=100&search=${encodeURIComponent(text)}`,
      )
      return Object.entries(made).flatMap(([name, { id }]) =>
        json.items.some((one: Thing) => one.id === id) ? [name] : [],
      )
    }
    expect(await search('find')).toEqual(['percent', 'under', 'text', 'long'])
    expect(await search('FiNd')).toEqual(['percent', 'under', 'text', 'long'])
    expect(await search('%')).toEqual(['percent'])
    expect(await search('0% o')).toEqual(['percent'])
    expect(await search('find_')).toEqual(['under'])
    expect(await search('d%i')).toEqual([])
    expect(await search('\\')).toEqual(['text'])
    expect(await search(`${'y'.repeat(1_900)}END`)).toEqual(['long'])
    expect(await search('z'.repeat(3_000))).toEqual([])
    expect(await search('')).toEqual(['percent', 'under', 'text', 'long'])
    expect((await world.reader('GET /magic-mcp-groups?search=a%00b')).json).toMatchObject({
      status: 400,
      code: 'invalid_data',
      entity: 'query',
      errors: [{ path: ['search'] }],
    })
  })

  it(`${verifies('metorial:groups:get:deleted')} a deleted group is shown, an unknown one is 404`, async () => {
    const group = await world.group()
    await remove(group)
    expect(await get(group)).toMatchObject({ id: group.id, status: 'deleted' })
    const [token, server] = [await world.token(), await world.server()]
    for (const id of [unknownId.group, token.id, server.id, group.slug, 'nonsense']) {
      for (const [line, body] of [
        ['GET :id'],
        ['PATCH :id', { name: 'x' }],
        ['DELETE :id'],
        ['POST :id/add-servers', { magic_mcp_server_ids: [] }],
        ['POST :id/remove-servers', { magic_mcp_server_ids: [] }],
      ] as [string, unknown?][]) {
        const { json } = await world.admin(line.replace(':id', `/magic-mcp-groups/${id}`), body)
        expect(json).toMatchObject({ status: 404, code: 'not_found', entity: 'magic_mcp.group', id })
      }
    }
  })

  it(`${verifies('metorial:groups:update:ok')} sets what is present; a deleted group is 410`, async () => {
    const group = await world.group({ name: 'old', description: 'old', metadata: { old: 1 } })
    let expected: object = group
    for (const change of [
      { name: 'new' },
      { description: '' },
      { metadata: { new: 1 } },
      {},
      { slug: 'x', status: 'deleted', id: 'y' },
    ]) {
      world.running.clock.pass(1_000)
      const { status, json } = await world.operator(`PATCH ${path(group)}`, change)
      const set = 'slug' in change ? {} : change
      expected = { ...expected, ...set, updated_at: json.updated_at }
      expect([status, json]).toEqual([200, expected])
      expect(json.updated_at === new Date(world.running.clock.now).toISOString()).toBe(
        Object.keys(set).length > 0,
      )
      expect(await get(group)).toEqual(expected)
    }
    await remove(group)
    const gone = {
      status: 410,
      code: 'gone',
      message: 'This magic_mcp.group is deleted.',
      entity: 'magic_mcp.group',
      id: group.id,
    }
    for (const body of [{ name: 'x' }, {}])
      await unchanged(() => world.operator(`PATCH ${path(group)}`, body), gone)
  })

  it(`${verifies('metorial:groups:delete:ok', 'metorial:groups:delete:never-widens')} a deleted group leaves every token, loses its servers, and nothing widens`, async () => {
    const [server, other] = [await world.server(), await world.server()]
    const [group, second] = [await world.group(), await world.group()]
    await servers('add', group, [server.id])
    await servers('add', second, [other.id])
    const only = await world.token({ group_ids: [group.id] })
    const both = await world.token({ group_ids: [group.id, second.id] })
    expect([await valid(only, server), await valid(both, server)]).toEqual([true, true])
    const { json } = await play(world.running, world.beside, {
      it: 'deletes',
      as: world.keys.operator,
      send: [`DELETE ${path(group)}`],
      status: 200,
      audits: [{ action: 'delete_group', outcome: 'ok', via: 'metorial', target_id: group.id }],
    })
    expect(json).toMatchObject({ id: group.id, status: 'deleted', slug: group.slug })
    expect(await inIt(group)).toEqual([])
    const show = async (token: Thing) => (await world.reader(`GET /magic-mcp-tokens/${token.id}`)).json
    expect(await show(only)).toMatchObject({
      groups: [],
      access: { all_servers: false, magic_mcp_server_ids: [] },
    })
    expect((await show(both)).groups.map(({ id }: Thing) => id)).toEqual([second.id])
    const reached = [valid(only, server), valid(only, other), valid(both, server), valid(both, other)]
    expect(await Promise.all(reached)).toEqual([false, false, false, true])
    const { items } = (await world.reader(`GET /magic-mcp-tokens?magic_mcp_group_id=${group.id}`)).json
    expect(items).toEqual([])
    expect((await world.reader(`GET /magic-mcp-servers/${server.id}`)).json.status).toBe('active')
  })

  it(`${verifies('metorial:groups:delete:again')} a second DELETE is 410`, async () => {
    const group = await world.group()
    await remove(group)
    await unchanged(() => world.operator(`DELETE ${path(group)}`), {
      status: 410,
      code: 'gone',
      entity: 'magic_mcp.group',
      id: group.id,
    })
  })

  it(`${verifies('metorial:groups:add-servers:ok', 'metorial:groups:remove-servers:ok')} servers are added and removed; what is there or absent already changes nothing`, async () => {
    const [a, b, c] = [await world.server(), await world.server(), await world.server()]
    const group = await world.group()
    expect((await servers('add', group, [b.id, a.id, b.id])).json.id).toBe(group.id)
    expect(await inIt(group)).toEqual([a.id, b.id])
    for (const ids of [[], [a.id], [a.id, b.id, a.id]])
      await unchanged(() => servers('add', group, ids), { id: group.id, status: 'active' })
    for (const ids of [
      [],
      [c.id],
      [unknownId.server],
      ['nonsense'],
      [group.id],
      [''],
      ['\u0000'],
      ['x'.repeat(900)],
    ])
      await unchanged(() => servers('remove', group, ids), { id: group.id, status: 'active' })
    world.running.clock.pass(1_000)
    const { json } = await servers('remove', group, [unknownId.server, a.id])
    expect(json.updated_at).toBe(new Date(world.running.clock.now).toISOString())
    expect(await inIt(group)).toEqual([b.id])
    const many: string[] = []
    for (let n = 0; n < 110; n += 1) many.push((await world.server()).id)
    expect((await servers('add', group, many)).status).toBe(200)
    expect((await servers('remove', group, many)).status).toBe(200)
    expect(await inIt(group)).toEqual([b.id])
  })

  it(`${verifies('metorial:groups:add-servers:unknown')} unknown is 404, a deleted server 412, a deleted group 410, no ids 400`, async () => {
    const [live, gone] = [await world.server(), await world.server()]
    await world.admin(`DELETE /magic-mcp-servers/${gone.id}`)
    const group = await world.group()
    for (const id of [unknownId.server, group.id, live.slug, 'nonsense']) {
      const told = { status: 404, code: 'not_found', entity: 'magic_mcp.server', id }
      for (const ids of [
        [live.id, id],
        [id, gone.id],
        [gone.id, id],
      ])
        await unchanged(() => servers('add', group, ids), told)
    }
    for (const ids of [[''], ['a\u0000'], ['x'.repeat(900)]])
      await unchanged(() => servers('add', group, ids), { status: 404, entity: 'magic_mcp.server' })
    const told = { status: 412, code: 'precondition_failed', entity: 'magic_mcp.server', id: gone.id }
    await unchanged(() => servers('add', group, [live.id, gone.id]), told)
    for (const verb of ['add', 'remove'] as const) {
      for (const body of [
        undefined,
        {},
        { server_ids: [live.id] },
        ...[live.id, null, [5], {}].map((ids) => ({ magic_mcp_server_ids: ids })),
      ]) {
        const send = () => world.operator(`POST ${path(group)}/${verb}-servers`, body)
        await unchanged(send, { status: 400, code: 'invalid_data', entity: 'body' })
      }
    }
    await remove(group)
    const deleted = { status: 410, code: 'gone', entity: 'magic_mcp.group', id: group.id }
    await unchanged(() => servers('add', group, [live.id]), deleted)
    await unchanged(() => servers('remove', group, [live.id]), deleted)
  })

  it('R15: a key bound to a project changes no groups, and reads them', async () => {
    const { project_id } = await plantProject(world.beside)
    const bound = world.as((await plantKey(world.beside, 'management', { project_id, role: 'admin' })).secret)
    const group = await world.group()
    for (const [line, body] of [
      ['POST /magic-mcp-groups', { name: 'x' }],
      [`PATCH ${path(group)}`, { name: 'x' }],
      [`DELETE ${path(group)}`],
      [`DELETE /magic-mcp-groups/${unknownId.group}`],
      [`POST ${path(group)}/add-servers`, { magic_mcp_server_ids: [] }],
    ] as [string, unknown?][])
      expect([line, (await bound(line, body)).status]).toEqual([line, 403])
    expect((await bound(`GET ${path(group)}`)).status).toBe(200)
  })
})
