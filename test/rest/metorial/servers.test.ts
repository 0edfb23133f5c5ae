import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, stateTables } from '../../support/world.ts'
import { play } from '../support.ts'
import { openWorld, type Thing, unknownId, type World } from './world.ts'

describe.each(databases)('servers on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const path = ({ id }: { id: string }) => `/magic-mcp-servers/${id}`
  const get = async (server: Thing) => (await world.reader(`GET ${path(server)}`)).json
  const remove = async (server: Thing) => (await world.admin(`DELETE ${path(server)}`)).json
  const valid = async ({ secret }: Thing, server: Thing) =>
    (await world.running.call('validate_token', { token: secret, server: server.id })).json.valid as boolean

  /** Expects an answer that changes nothing. */
  async function unchanged(work: () => Promise<{ json: unknown }>, has: object) {
    world.running.clock.pass(1_000)
    const before = await contents(world.beside, stateTables)
    expect((await work()).json).toMatchObject(has)
    expect(await contents(world.beside, stateTables)).toBe(before)
  }

  /** A configuration with a server that holds things nobody may see. */
  async function configured(name: string) {
    const config_id = (await world.running.call('create_config', { name: `config of ${name}` })).json.config
      .id
    const add = async (server: string, runs: object): Promise<Thing> =>
      (await world.running.call('add_config_server', { config_id, name: server, runs })).json.server
    return { config_id, add }
  }

  it(`${verifies('metorial:servers:object:shape')} a server has exactly its members, and the address of the gateway`, async () => {
    const server = await world.server({ name: 'Shape', description: 'd', metadata: { a: 1 } })
    const now = new Date(world.running.clock.now).toISOString()
    const shape = {
      object: 'magic_mcp.server',
      id: server.id,
      status: 'active',
      slug: 'shape',
      session_template_id: null,
      endpoints: [{ id: server.id, alias: 'shape', url: `${world.running.url}/servers/shape/mcp` }],
      providers: [],
      name: 'Shape',
      description: 'd',
      metadata: { a: 1 },
      created_at: now,
      updated_at: now,
    }
    expect(server).toEqual(shape)
    expect(await get(server)).toEqual(shape)
    expect((await world.admin(`PATCH ${path(server)}`, {})).json).toEqual(shape)
    const { items } = (await world.reader('GET /magic-mcp-servers?order=desc&limit=1')).json
    expect(items).toEqual([shape])
    expect(await remove(server)).toEqual({ ...shape, status: 'deleted' })
  })

  it(`${verifies('metorial:servers:object:shape')} the address lies under the configured public URL`, async () => {
    for (const publicUrl of ['https://mcp.example.com', 'https://example.com/under/']) {
      const public_ = await openWorld(database, { publicUrl })
      const server = await public_.server({ name: 'There' })
      const base = publicUrl.replace(/\/$/, '')
      expect(server.endpoints).toEqual([{ id: server.id, alias: 'there', url: `${base}/servers/there/mcp` }])
      await public_.close()
    }
  })

  it(`${verifies('metorial:servers:object:shape')} nothing of what is behind a server is shown`, async () => {
    const { config_id, add } = await configured('secrets')
    const local = await add('local', {
      command: 'hidden-command',
      args: ['hidden-argument'],
      env: { HIDDEN_NAME: 'hidden-value' },
    })
    const remote = await add('remote', {
      url: 'https://hidden.example/mcp',
      headers: { 'X-Hidden': 'hidden-header' },
    })
    for (const { id } of [local, remote]) {
      for (const line of [
        `GET ${path({ id })}`,
        'GET /magic-mcp-servers?limit=100',
        `PATCH ${path({ id })}`,
      ]) {
        const { status, text } = await world.admin(line)
        expect([line, status]).toEqual([line, 200])
        expect(text.toLowerCase()).not.toContain('hidden')
        expect(text).not.toContain(config_id)
      }
    }
  })

  it(`${verifies('metorial:servers:object:slug')} the slug is made of the name once, unique in the instance, deleted servers included`, async () => {
    const slug = async (body: object) => (await world.server(body)).slug
    expect(await slug({ name: 'My_Slug 1' })).toBe('my-slug-1')
    expect(await slug({ name: 'Grüße' })).toBe('gr--e')
    const first = await world.server({ name: 'Same' })
    expect([first.slug, await slug({ name: 'same' }), await slug({ name: 'SAME' })]).toEqual([
      'same',
      'same-2',
      'same-3',
    ])
    expect(await slug({ name: 'same-2' })).toBe('same-2-2')
    await remove(first)
    expect(await slug({ name: 'Same' })).toBe('same-4')
    const unnamed = [
      await slug({ name: undefined }),
      await slug({ name: '' }),
      await slug({ name: 'Server' }),
    ]
    expect(unnamed).toEqual(['server', 'server-2', 'server-3'])
    const renamed = await world.server({ name: 'Before' })
    expect((await world.admin(`PATCH ${path(renamed)}`, { name: 'After' })).json.slug).toBe('before')
    expect(await slug({ name: 'After' })).toBe('after')
    const { add } = await configured('slugs')
    expect((await add('Same', { command: 'x' })).slug).toBe('same-5')
    const many = await Promise.all(Array.from({ length: 10 }, () => slug({ name: 'At once' })))
    expect(new Set(many).size).toBe(10)
  })

  it(`${verifies('metorial:servers:object:one-table')} servers of configurations are listed, shown and deleted here under the same id`, async () => {
    const { config_id, add } = await configured('one table')
    const server = await add('shared', { command: 'x' })
    expect(await get(server)).toMatchObject({
      object: 'magic_mcp.server',
      id: server.id,
      name: 'shared',
      slug: server.slug,
    })
    const { items } = (await world.reader('GET /magic-mcp-servers?search=shared')).json
    expect(items.map(({ id }: Thing) => id)).toEqual([server.id])
    const inConfig = async () =>
      (await world.running.call('get_config', { config_id })).json.config.servers.map(({ id }: Thing) => id)
    expect(await inConfig()).toEqual([server.id])
    expect((await world.admin(`PATCH ${path(server)}`, { name: '' })).status).toBe(409)
    expect((await remove(server)).status).toBe('deleted')
    expect([await inConfig(), (await get(server)).status]).toEqual([[], 'deleted'])
    const again = await add('shared', { command: 'x' })
    expect([again.slug, await inConfig()]).toEqual([`${server.slug}-2`, [again.id]])
    await world.running.call('remove_config_server', { config_id, server_id: again.id })
    expect((await get(again)).status).toBe('deleted')
    const deleted = (await world.reader('GET /magic-mcp-servers?status=deleted&search=shared')).json.items
    expect(deleted.map(({ id }: Thing) => id)).toEqual([server.id, again.id])
  })

  it(`${verifies('metorial:servers:list:ok')} filters by state, group and text, and pages as tokens do`, async () => {
    const named = async (name: string, description?: string) =>
      world.server({ name, ...(description === undefined ? {} : { description }) })
    const rows = {
      one: await named('listed one'),
      two: await named('listed two', '100%'),
      three: await named('listed_three'),
      gone: await named('listed gone'),
    }
    await remove(rows.gone)
    const [g, h] = [await world.group(), await world.group()]
    const put = (group: Thing, ...servers: Thing[]) =>
      world.admin(`POST /magic-mcp-groups/${group.id}/add-servers`, {
        magic_mcp_server_ids: servers.map(({ id }) => id),
      })
    await put(g, rows.one, rows.two)
    await put(h, rows.two, rows.three)
    const list = async (query: string) => {
      const { status, json } = await world.reader(`GET /magic-mcp-servers?${query}`)
      if (status !== 200) return [status, json.code, json.entity]
      const names = json.items.map(
        ({ id }: Thing) => Object.entries(rows).find(([, row]) => row.id === id)?.[0],
      )
      return [...names, json.pagination.has_more_after, json.pagination.has_more_before]
    }
    expect(await list('search=LISTED')).toEqual(['one', 'two', 'three', false, false])
    expect(await list('search=listed&status=deleted')).toEqual(['gone', false, false])
    expect(await list('search=listed&status[]=deleted&status[]=active')).toEqual([
      'one',
      'two',
      'three',
      'gone',
      false,
      false,
    ])
    expect(await list('search=listed&status=archived')).toEqual([false, false])
    expect(await list(`search=listed%5F`)).toEqual(['three', false, false])
    expect(await list('search=0%25')).toEqual(['two', false, false])
    expect(await list(`magic_mcp_group_id=${g.id}`)).toEqual(['one', 'two', false, false])
    expect(await list(`magic_mcp_group_id[0]=${g.id}&magic_mcp_group_id[1]=${h.id}`)).toEqual([
      'one',
      'two',
      'three',
      false,
      false,
    ])
    expect(await list(`magic_mcp_group_id=${unknownId.group}`)).toEqual([false, false])
    expect(await list(`magic_mcp_group_id=&search=listed`)).toEqual(['one', 'two', 'three', false, false])
    expect(await list('search=listed&limit=2')).toEqual(['one', 'two', true, false])
    expect(await list(`search=listed&limit=2&after=${rows.two.id}`)).toEqual(['three', false, true])
    expect(await list(`search=listed&limit=1&before=${rows.three.id}`)).toEqual(['two', true, true])
    expect(await list('search=listed&limit=2&order=desc')).toEqual(['three', 'two', true, false])
    expect(await list(`search=listed&after=${rows.gone.id}`)).toEqual([false, false])
    expect(await list(`after=${unknownId.server}`)).toEqual([false, false])
    for (const bad of ['limit=0', 'order=x', 'status=', 'status=x', 'search=a%00'])
      expect([bad, await list(bad)]).toEqual([bad, [400, 'invalid_data', 'query']])
    expect(await list('cursor=x')).toEqual([400, 'bad_request', undefined])
  })

  it(`${verifies('metorial:servers:create:ok')} everything is optional`, async () => {
    const { json } = await play(world.running, world.beside, {
      it: 'creates',
      as: world.keys.admin,
      send: ['POST /magic-mcp-servers'],
      status: 200,
      has: { object: 'magic_mcp.server', name: null, description: null, metadata: {}, status: 'active' },
      audits: [{ action: 'create_server', outcome: 'ok', via: 'metorial' }],
    })
    expect(await get(json)).toEqual(json)
    const full = { name: 'Full', description: 'd', metadata: { a: 1 }, aliases: ['dropped'] }
    const { status, json: made } = await world.admin('POST /magic-mcp-servers', full)
    expect([status, made]).toMatchObject([200, { name: 'Full', description: 'd', metadata: { a: 1 } }])
    expect(made).not.toHaveProperty('aliases')
    expect((await world.server({ name: '' })).name).toBe('')
  })

  it(`${verifies('metorial:servers:update:ok')} sets what is present; deleted is 410, unknown 404`, async () => {
    const server = await world.server({ name: 'Old', description: 'old', metadata: { old: 1 } })
    let expected: object = server
    for (const change of [{ name: 'New' }, { description: '' }, { metadata: { new: 1 } }, {}]) {
      const { status, json } = await world.admin(`PATCH ${path(server)}`, {
        ...change,
        slug: 'x',
        status: 'deleted',
      })
      expected = { ...expected, ...change, updated_at: json.updated_at }
      expect([status, json]).toEqual([200, expected])
      expect(await get(server)).toEqual(expected)
    }
    for (const id of [
      unknownId.server,
      (await world.token()).id,
      (await world.group()).id,
      server.slug,
      'New',
    ]) {
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const { json } = await world.admin(`${method} ${path({ id })}`)
        expect(json).toMatchObject({ status: 404, code: 'not_found', entity: 'magic_mcp.server', id })
      }
    }
    await remove(server)
    const gone = { status: 410, code: 'gone', entity: 'magic_mcp.server', id: server.id }
    for (const body of [{ name: 'x' }, {}])
      await unchanged(() => world.admin(`PATCH ${path(server)}`, body), gone)
  })

  it(`${verifies('metorial:servers:delete:ok')} a deleted server leaves every group and set, no token gains anything, and a second DELETE is 410`, async () => {
    const [server, other] = [await world.server({ name: 'Leaving' }), await world.server()]
    const group = await world.group()
    await world.admin(`POST /magic-mcp-groups/${group.id}/add-servers`, { magic_mcp_server_ids: [server.id] })
    const linked = await world.token({ magic_mcp_server_id: server.id })
    const grouped = await world.token({ group_ids: [group.id] })
    const open = await world.token()
    expect(await Promise.all([linked, grouped, open].map((token) => valid(token, server)))).toEqual([
      true,
      true,
      true,
    ])
    const { json } = await play(world.running, world.beside, {
      it: 'deletes',
      as: world.keys.admin,
      send: [`DELETE ${path(server)}`],
      status: 200,
      audits: [{ action: 'delete_server', outcome: 'ok', via: 'metorial', target_id: server.id }],
    })
    expect(json).toMatchObject({ id: server.id, status: 'deleted', name: 'Leaving', slug: 'leaving' })
    expect(await get(server)).toEqual(json)
    const shown = (await world.reader(`GET /magic-mcp-tokens/${linked.id}`)).json
    expect([shown.access, shown.server]).toEqual([{ all_servers: false, magic_mcp_server_ids: [] }, null])
    const all = 'GET /magic-mcp-servers?status=active&status=deleted&magic_mcp_group_id='
    expect((await world.reader(`${all}${group.id}`)).json.items).toEqual([])
    for (const token of [linked, grouped])
      expect([await valid(token, server), await valid(token, other)]).toEqual([false, false])
    expect([await valid(open, server), await valid(open, other)]).toEqual([false, true])
    await unchanged(() => world.admin(`DELETE ${path(server)}`), {
      status: 410,
      code: 'gone',
      entity: 'magic_mcp.server',
      id: server.id,
    })
  })
})
