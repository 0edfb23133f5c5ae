import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, plantKey, plantProject, stateTables } from '../../support/world.ts'
import { openWorld, type Thing, unknownId, type World } from './world.ts'

describe.each(databases)('the list of tokens on $name', (database) => {
  let world: World
  let a: Thing
  let b: Thing
  let server: Thing
  let tokens: Record<'plain' | 'inA' | 'inAB' | 'inB' | 'linked' | 'gone', Thing>
  beforeAll(async () => {
    world = await openWorld(database)
    server = await world.server()
    a = await world.group()
    b = await world.group()
    await world.admin(`POST /magic-mcp-groups/${b.id}/add-servers`, { magic_mcp_server_ids: [server.id] })
    tokens = {
      plain: await world.token(),
      inA: await world.token({ group_ids: [a.id] }),
      inAB: await world.token({ group_ids: [a.id, b.id] }),
      inB: await world.token({ group_ids: [b.id] }),
      linked: await world.token({ magic_mcp_server_id: server.id }),
      gone: await world.token({ group_ids: [a.id] }),
    }
    await world.admin(`DELETE /magic-mcp-tokens/${tokens.gone.id}`)
  })
  afterAll(() => world.close())

  const list = (query = '') => world.reader(`GET /magic-mcp-tokens${query}`)
  const names = (items: Thing[]) =>
    items.map(({ id }) => Object.entries(tokens).find(([, token]) => token.id === id)?.[0] ?? id)
  const found = async (query = '') => {
    const { status, json } = await list(query)
    return status === 200 ? names(json.items) : [status, json.code, json.entity]
  }

  it(`${verifies('metorial:tokens:list:envelope', 'metorial:tokens:list:default-includes-deleted', 'metorial:tokens:list:order')} has its envelope, oldest first, deleted tokens as well`, async () => {
    const { json } = await list()
    expect(Object.keys(json)).toEqual(['object', 'items', 'pagination'])
    expect([json.object, json.pagination]).toEqual([
      'list',
      { has_more_after: false, has_more_before: false },
    ])
    expect(names(json.items)).toEqual(['plain', 'inA', 'inAB', 'inB', 'linked', 'gone'])
    expect(json.items.map(({ status }: Thing) => status)).toEqual([...Array(5).fill('active'), 'deleted'])
    expect(json.items[2]).toEqual((await world.admin(`GET /magic-mcp-tokens/${tokens.inAB.id}`)).json)
    const none = await list(`?magic_mcp_group_id=${unknownId.group}`)
    expect(none.text).toBe(
      '{"object":"list","items":[],"pagination":{"has_more_after":false,"has_more_before":false}}',
    )
  })

  it(`${verifies('metorial:tokens:list:order')} desc is newest first, and another order is 400`, async () => {
    expect(await found('?order=asc')).toEqual(['plain', 'inA', 'inAB', 'inB', 'linked', 'gone'])
    expect(await found('?order=desc')).toEqual(['gone', 'linked', 'inB', 'inAB', 'inA', 'plain'])
    for (const order of ['', 'ASC', 'Desc', 'up', 'asc,desc', 'created_at']) {
      expect((await list(`?order=${order}`)).json).toMatchObject({
        status: 400,
        code: 'invalid_data',
        entity: 'query',
        errors: [{ code: 'invalid_enum', path: ['order'] }],
      })
    }
  })

  it(`${verifies('metorial:tokens:list:limit')} a limit is a whole number from 1 to 100`, async () => {
    expect(await found('?limit=2')).toEqual(['plain', 'inA'])
    expect((await list('?limit=100')).status).toBe(200)
    for (const [limit, error] of [
      ['0', { code: 'invalid_min', min: 1 }],
      ['101', { code: 'invalid_max', max: 100 }],
      ['1000000000000', {}],
      ['-1', {}],
      ['1.5', {}],
      ['', {}],
      ['ten', { code: 'invalid_type', message: 'must be a whole number', received: 'string' }],
      ['10abc', {}],
      ['0x10', {}],
      ['1e1', {}],
      ['%2010', {}],
      ['NaN', {}],
      ['Infinity', {}],
      ['null', {}],
      ['5&limit=6', { message: 'must be given once' }],
    ] as const) {
      const { json } = await list(`?limit=${limit}`)
      expect([limit, json]).toMatchObject([
        limit,
        { status: 400, code: 'invalid_data', entity: 'query', errors: [{ path: ['limit'], ...error }] },
      ])
      expect(json.errors).toHaveLength(1)
    }
  })

  it(`${verifies('metorial:tokens:list:limit')} without a limit a page has 20 rows`, async () => {
    const ids: string[] = []
    for (let n = 0; n < 22; n += 1) ids.push((await world.token({ group_ids: [b.id] })).id)
    const { json } = await list(`?magic_mcp_group_id=${b.id}&after=${tokens.inB.id}`)
    expect(json.items.map(({ id }: Thing) => id)).toEqual(ids.slice(0, 20))
    expect(json.pagination).toEqual({ has_more_after: true, has_more_before: true })
    for (const id of ids)
      await world.admin(`POST /magic-mcp-tokens/${id}/remove-groups`, { magic_mcp_group_ids: [b.id] })
  })

  it(`${verifies('metorial:tokens:list:status-filter')} status asks for either or both, and anything else is 400`, async () => {
    const inA = `magic_mcp_group_id=${a.id}`
    expect(await found(`?${inA}&status=active`)).toEqual(['inA', 'inAB'])
    expect(await found(`?${inA}&status=deleted`)).toEqual(['gone'])
    for (const both of ['status=active&status=deleted', 'status[]=deleted&status[]=active'])
      expect(await found(`?${inA}&${both}`)).toEqual(['inA', 'inAB', 'gone'])
    expect(await found(`?${inA}&status=active&status=active`)).toEqual(['inA', 'inAB'])
    for (const wrong of [
      '',
      'archived',
      'ACTIVE',
      'disabled',
      'expired',
      'revoked',
      'active,deleted',
      'active&status=',
      'active&status=x',
    ])
      expect([wrong, await found(`?status=${wrong}`)]).toEqual([wrong, [400, 'invalid_data', 'query']])
    // Disabled and expired tokens count as active.
    const own = (await world.group()).id
    const { json } = await world.running.call('create_token', {
      name: 'off',
      expires_in_days: 1,
      access: { groups: [own] },
    })
    await world.running.call('set_token_enabled', { token_id: json.token.id, enabled: false })
    world.running.clock.pass(86_400_000 * 2)
    expect(await found(`?status=active&magic_mcp_group_id=${own}`)).toContain(json.token.id)
    expect(await found(`?status=deleted&magic_mcp_group_id=${own}`)).toEqual([])
    await world.admin(`DELETE /magic-mcp-tokens/${json.token.id}`)
  })

  it(`${verifies('metorial:tokens:list:group-filter')} several groups mean OR; an unknown one matches nothing and an empty one is ignored`, async () => {
    const of = (...ids: string[]) =>
      found(`?status=active&limit=6&${ids.map((id) => `magic_mcp_group_id=${id}`).join('&')}`)
    expect(await of(a.id)).toEqual(['inA', 'inAB'])
    expect(await of(b.id)).toEqual(['inAB', 'inB'])
    expect(await of(a.id, b.id)).toEqual(['inA', 'inAB', 'inB'])
    expect(await of(a.id, unknownId.group, a.id)).toEqual(['inA', 'inAB'])
    for (const none of [unknownId.group, server.id, a.name, 'a%00b', 'x'.repeat(3_000)])
      expect(await of(none)).toEqual([])
    expect(await of('', a.id)).toEqual(['inA', 'inAB'])
    expect(await of('')).toEqual(await found('?status=active&limit=6'))
  })

  it(`${verifies('metorial:tokens:list:server-filter')} a server finds what reaches it: explicitly, through a group, or by all_servers`, async () => {
    const project = await plantProject(world.beside)
    const key = await plantKey(world.beside, 'management', { project_id: project.project_id })
    const bound = (await world.as(key.secret)('POST /magic-mcp-tokens', { name: 'bound' })).json
    const gone = await world.server()
    await world.admin(`DELETE /magic-mcp-servers/${gone.id}`)
    const own = new Set([...Object.values(tokens).map(({ id }) => id), bound.id])
    const of = async (...ids: string[]) => {
      const query = ids.map((id) => `magic_mcp_server_id=${id}`).join('&')
      const { items } = (await list(`?status=active&limit=100&${query}`)).json
      return names(items.filter(({ id }: Thing) => own.has(id)))
    }
    expect(await of(server.id)).toEqual(['plain', 'inAB', 'inB', 'linked'])
    expect(await of(project.server.id)).toEqual(['plain', bound.id])
    expect(await of(server.id, project.server.id)).toEqual(['plain', 'inAB', 'inB', 'linked', bound.id])
    for (const none of [unknownId.server, gone.id, 'nonsense', 'a%00'])
      expect(await of(none)).toEqual(['plain'])
    expect(await of('', server.id)).toEqual(['plain', 'inAB', 'inB', 'linked'])
    const narrowed = await found(`?magic_mcp_server_id=${server.id}&magic_mcp_group_id=${a.id}`)
    expect(narrowed).toEqual(['inAB'])
  })

  it('an endpoint matches nothing, whatever else is asked', async () => {
    expect(await found('?magic_mcp_endpoint_id=mgep_x')).toEqual([])
    expect(await found(`?magic_mcp_endpoint_id[]=mgep_x&magic_mcp_group_id=${a.id}`)).toEqual([])
    expect(await found(`?magic_mcp_endpoint_id=&magic_mcp_group_id=${a.id}`)).toEqual(['inA', 'inAB', 'gone'])
  })

  it(`${verifies('metorial:tokens:list:array-encodings')} a list may be written in each way, with 100 values and more`, async () => {
    const wanted = ['inA', 'inAB', 'inB', 'gone']
    const ids = [a.id, ...Array.from({ length: 118 }, (_, n) => `mggr_none${n}`), b.id]
    const ways: ((id: string, n: number) => string)[] = [
      (id) => `magic_mcp_group_id=${id}`,
      (id) => `magic_mcp_group_id[]=${id}`,
      (id) => `magic_mcp_group_id%5B%5D=${id}`,
      (id) => `magic_mcp_group_id%5b%5d=${id}`,
      (id, n) => `magic_mcp_group_id[${n}]=${id}`,
      (id, n) => `magic_mcp_group_id%5B${n}%5D=${id}`,
    ]
    for (const way of ways) {
      expect(await found(`?limit=6&${[a.id, b.id].map(way).join('&')}`)).toEqual(wanted)
      expect(await found(`?limit=6&${ids.map(way).join('&')}`)).toEqual(wanted)
      const status = way('active', 0).replace('magic_mcp_group_id', 'status')
      expect(await found(`?limit=6&magic_mcp_group_id=${a.id}&${status}`)).toEqual(['inA', 'inAB'])
    }
    const servers = Array.from({ length: 100 }, (_, n) => `magic_mcp_server_id%5B${n}%5D=${unknownId.server}`)
    expect(await found(`?magic_mcp_group_id=${a.id}&${servers.join('&')}`)).toEqual([])
    const mixed = `magic_mcp_group_id=${unknownId.group}&magic_mcp_group_id[]=${a.id}&magic_mcp_group_id[7]=${b.id}`
    expect(await found(`?limit=6&${mixed}`)).toEqual(wanted)
  })

  it(`${verifies('metorial:tokens:list:only-access-tokens')} tokens of every dialect are listed and management keys never, and listing makes nothing`, async () => {
    const { project_id, user_id } = await plantProject(world.beside)
    const userKey = await plantKey(world.beside, 'user_key', { owner_id: user_id, project_id })
    const elsewhere = (await world.running.call('create_token', { name: 'over /v1' })).json.token.id
    const key = await plantKey(world.beside, 'management')
    const listed: string[] = []
    for (let after = ''; ; ) {
      const { items } = (await list(`?limit=100${after}`)).json
      if (items.length === 0) break
      listed.push(...items.map(({ id }: Thing) => id))
      after = `&after=${items.at(-1).id}`
    }
    expect(listed).toEqual(expect.arrayContaining([userKey.id, elsewhere]))
    expect(listed).not.toContain(key.id)
    expect(listed.filter((id) => !id.startsWith('mgtk_'))).toEqual([])
    const fresh = await openWorld(database)
    const before = await contents(fresh.beside, stateTables.slice(1))
    expect((await fresh.reader('GET /magic-mcp-tokens')).json.items).toEqual([])
    expect((await fresh.reader('GET /magic-mcp-tokens')).json.items).toEqual([])
    expect(await contents(fresh.beside, stateTables.slice(1))).toBe(before)
    await fresh.close()
  })
})
