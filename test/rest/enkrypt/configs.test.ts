import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, nextId, times } from '../../support/world.ts'
import { play } from '../support.ts'
import { type Data, lineOf, made, openWorld, refused, type World } from './support.ts'
import { bodyOf, filled, none, table } from './table.ts'

const notFound = [404, 'Configuration not found']

describe.each(databases)('configurations on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const get = (c: string) => made(world.reader(`GET /configs/${c}`))
  const listed = async (id: string) =>
    ((await made(world.reader('GET /configs'))) as Data[]).find((one) => one['mcp_config_id'] === id)
  const assign = (project: string, config_name: string) =>
    made(world.admin(`POST /projects/${project}/assign-config`, { config_name }))
  const newProject = async () =>
    (await made(world.admin('POST /projects', { project_name: world.fresh('Project') }))) as Data & {
      project_id: string
      project_name: string
    }

  it(`${verifies('enkrypt:configs:list:shape')} a list entry has names, the count of servers and the projects that use it, right after every change`, async () => {
    const { config_id, config_name } = await world.config()
    const [one, two] = [await newProject(), await newProject()]
    const entry = (servers: number, ...used: Data[]) => ({
      mcp_config_id: config_id,
      mcp_config_name: config_name,
      servers,
      used_by_projects: used.map(({ project_id, project_name }) => ({ project_id, project_name })),
    })
    expect(await listed(config_id)).toEqual(entry(0))
    const first = await world.server(config_id)
    await world.server(config_id)
    await world.server((await world.config()).config_id)
    expect(await listed(config_id)).toEqual(entry(2))
    await assign(one.project_id, config_id)
    await assign(two.project_id, config_id)
    expect(await listed(config_id)).toEqual(entry(2, one, two))
    await made(world.admin(`DELETE /configs/${config_id}/servers/${first.server_id}`))
    await made(world.admin(`POST /projects/${one.project_id}/unassign-config`))
    expect(await listed(config_id)).toEqual(entry(1, two))
    await made(world.admin(`DELETE /configs/${config_id}/servers`))
    await made(world.admin(`DELETE /projects/${two.project_id}`))
    expect(await listed(config_id)).toEqual(entry(0))
    await made(world.admin(`DELETE /configs/${config_id}`))
    expect(await listed(config_id)).toBeUndefined()
  })

  it(`${verifies('enkrypt:configs:create:ok')} creates an empty configuration whose id works everywhere, with one row in the trail`, async () => {
    const { json } = await play(world.running, world.beside, {
      it: 'create',
      as: world.keys.admin,
      send: [lineOf('POST /configs'), { config_name: 'Development Config' }],
      status: 201,
      has: { message: 'Configuration created successfully' },
      audits: [{ action: 'create_config', outcome: 'ok', via: 'enkrypt' }],
    })
    const { config_id } = json.data
    expect(json.data).toEqual({
      config_id,
      config_name: 'Development Config',
      mcp_config_id: config_id,
      mcp_config_name: 'Development Config',
    })
    expect(config_id).toMatch(/^cfg_/)
    expect(await get(config_id)).toEqual({
      mcp_config_id: config_id,
      mcp_config_name: 'Development Config',
      mcp_config: [],
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
    const { server_id } = await world.server(config_id)
    const { project_id } = await newProject()
    await assign(project_id, config_id)
    const ids = { ...none, c: config_id, s: server_id }
    const routes = table.filter(({ line }) => line.includes('{c}') && !line.startsWith('DELETE /configs/{c}'))
    for (const row of routes) {
      const { status, text } = await world.admin(filled(row.line, ids), bodyOf(row, ids))
      expect([row.line, status, text]).toEqual([row.line, Array.isArray(row.says) ? 201 : 200, text])
    }
  })

  it(`${verifies('enkrypt:configs:create:duplicate')} a name that is taken is 409 and makes nothing; of many who ask at once one wins`, async () => {
    await world.config('Taken')
    const before = await contents(world.beside, ['configs'])
    expect(refused(await world.admin('POST /configs', { config_name: 'Taken' }))[0]).toBe(409)
    expect(await contents(world.beside, ['configs'])).toBe(before)
    for (let round = 0; round < 3; round++) {
      const config_name = world.fresh('Race')
      const asked = Array.from({ length: 6 }, () => world.admin('POST /configs', { config_name }))
      const statuses = (await Promise.all(asked)).map(({ status }) => status).sort()
      expect(statuses).toEqual([201, 409, 409, 409, 409, 409])
      const found = (await made(world.admin('POST /configs/search', { search_term: config_name }))) as Data[]
      expect(found.filter((one) => one['mcp_config_name'] === config_name)).toHaveLength(1)
    }
  })

  it(`${verifies('enkrypt:configs:get:ok')} is read by id and by name; one that is not there is 404 on every route`, async () => {
    const { config_id, config_name } = await world.config()
    await world.server(config_id)
    expect(await get(encodeURIComponent(config_name))).toEqual(await get(config_id))
    for (const c of [none.c, 'nobody has this name', `${config_id}x`, config_id.toLowerCase(), none.p]) {
      for (const row of table.filter(({ line }) => line.includes('{c}'))) {
        const ids = { ...none, c: encodeURIComponent(c) }
        const answer = await world.admin(filled(row.line, ids), bodyOf(row, ids))
        expect([row.line, c, ...refused(answer)]).toEqual([row.line, c, ...notFound])
      }
    }
  })

  it(`${verifies('enkrypt:configs:rename:ok')} gives another name under the same id; projects keep it, and the old name is free`, async () => {
    const { config_id, config_name } = await world.config()
    const { project_id, project_name } = await newProject()
    await assign(project_id, config_id)
    const other = await world.config()
    const new_name = world.fresh('New name')
    const rename = `PUT /configs/${encodeURIComponent(config_name)}/rename`
    const { json } = await play(world.running, world.beside, {
      it: 'rename',
      as: world.keys.admin,
      send: [lineOf(rename), { new_name: ` ${new_name} ` }],
      status: 200,
      audits: [{ action: 'update_config', target_id: config_id, outcome: 'ok' }],
    })
    expect(json.data).toEqual({ config_id, config_name: new_name })
    expect(await listed(config_id)).toMatchObject({ used_by_projects: [{ project_id, project_name }] })
    expect(await made(world.reader(`GET /projects/${project_id}/config`))).toMatchObject({
      mcp_config_id: config_id,
      mcp_config_name: new_name,
    })
    expect(refused(await world.admin(rename, { new_name: 'x' }))).toEqual(notFound)
    expect((await world.config(config_name)).config_id).not.toBe(config_id)

    const before = await contents(world.beside, ['configs', 'projects'])
    const own = await made(world.admin(`PUT /configs/${config_id}/rename`, { new_name }))
    expect(own).toEqual({ config_id, config_name: new_name })
    const taken = { new_name: other.config_name }
    expect(refused(await world.admin(`PUT /configs/${config_id}/rename`, taken))[0]).toBe(409)
    expect(await contents(world.beside, ['configs', 'projects'])).toBe(before)
    // Its own name in another letter case is another name.
    const cased = { new_name: new_name.toUpperCase() }
    expect((await world.admin(`PUT /configs/${config_id}/rename`, cased)).status).toBe(200)
  })

  it(`${verifies('enkrypt:configs:delete:ok')} deletes it with its servers; a second DELETE is 404`, async () => {
    const { config_id, config_name } = await world.config()
    const servers = [await world.server(config_id), await world.server(config_id)]
    const { json } = await play(world.running, world.beside, {
      it: 'delete',
      as: world.keys.admin,
      send: [lineOf(`DELETE /configs/${config_id}`)],
      status: 200,
      audits: [{ action: 'delete_config', target_id: config_id, outcome: 'ok' }],
    })
    expect(json).toEqual({ message: 'Configuration deleted successfully', data: null })
    for (const c of [config_id, encodeURIComponent(config_name)]) {
      expect(refused(await world.admin(`DELETE /configs/${c}`))).toEqual(notFound)
      expect(refused(await world.admin(`GET /configs/${c}/servers`))).toEqual(notFound)
    }
    for (const { server_id } of servers) {
      const { server } = await world.op('get_server', { server_id })
      expect(server.deleted_at).toEqual(expect.any(String))
    }
    // The name is free, and what is made under it has nothing of the old one.
    const again = await world.config(config_name)
    expect((await get(again.config_id))['mcp_config']).toEqual([])
  })

  it(`${verifies('enkrypt:configs:delete:in-use')} is refused while a project has it, and nothing is deleted`, async () => {
    const { config_id } = await world.config()
    await world.server(config_id)
    const projects = [await newProject(), await newProject()]
    for (const { project_id } of projects) await assign(project_id, config_id)
    const tables = ['configs', 'servers', 'projects']
    for (const end of ['unassign-config', '']) {
      const before = await contents(world.beside, tables)
      const [status, detail] = refused(await world.admin(`DELETE /configs/${config_id}`))
      expect([status, detail]).toEqual([409, expect.stringMatching(/assigned to \d project/)])
      expect(await contents(world.beside, tables)).toBe(before)
      const { project_id = '' } = projects.pop() ?? {}
      await made(
        end === ''
          ? world.admin(`DELETE /projects/${project_id}`)
          : world.admin(`POST /projects/${project_id}/${end}`),
      )
    }
    expect((await world.admin(`DELETE /configs/${config_id}`)).status).toBe(200)
  })

  it(`${verifies('enkrypt:configs:delete:in-use')} of an assignment and a deletion at the same time one comes first, and no project is left with nothing`, async () => {
    for (let round = 0; round < 5; round++) {
      const { config_id } = await world.config()
      const { project_id } = await newProject()
      const [deleted, assigned] = await Promise.all([
        world.admin(`DELETE /configs/${config_id}`),
        world.admin(`POST /projects/${project_id}/assign-config`, { config_name: config_id }),
      ])
      expect([
        [200, 404],
        [409, 200],
      ]).toContainEqual([deleted.status, assigned.status])
      const { status } = await world.reader(`GET /projects/${project_id}/config`)
      expect(status).toBe(assigned.status)
    }
  })

  it(`${verifies('enkrypt:configs:search:ok')} finds by a part of the name, else of a server's name, whatever the letter case, with % and _ plain`, async () => {
    const apart = await openWorld(database)
    const search = async (search_term: string) =>
      ((await made(apart.reader('POST /configs/search', { search_term }))) as Data[]).map((one) => [
        one['mcp_config_name'],
        one['match_type'],
        one['servers'],
      ])
    const one = await apart.config('Weather Station')
    await apart.server(one.config_id, { server_name: 'forecast' })
    await apart.server(one.config_id, { server_name: 'weather_radar' })
    const two = await apart.config('100% cloudy')
    await apart.server(two.config_id, { server_name: 'WEATHER balloon' })
    const three = await apart.config('back\\slash_x')
    const gone = await apart.server(three.config_id, { server_name: 'weather gone' })
    await made(apart.admin(`DELETE /configs/${three.config_id}/servers/${gone.server_id}`))
    const weather = ['Weather Station', 'config_name', 2]
    const cloudy = ['100% cloudy', 'config_name', 1]
    const slash = ['back\\slash_x', 'config_name', 0]
    expect(await search('')).toEqual([weather, cloudy, slash])
    for (const term of ['weather', 'WEATHER', 'wEATHER']) {
      expect(await search(term)).toEqual([weather, ['100% cloudy', 'server_name', 1]])
    }
    expect(await search('ForeCast')).toEqual([['Weather Station', 'server_name', 2]])
    expect(await search('%')).toEqual([cloudy])
    expect(await search('_')).toEqual([['Weather Station', 'server_name', 2], slash])
    expect(await search('\\')).toEqual([slash])
    expect(await search('100_')).toEqual([])
    expect(await search('w%r')).toEqual([])
    expect(await search('gone')).toEqual([])
    expect(await search("'; drop table configs --")).toEqual([])
    const [found] = (await made(apart.reader('POST /configs/search', { search_term: 'cloudy' }))) as Data[]
    expect(found).toEqual({
      mcp_config_id: two.config_id,
      mcp_config_name: '100% cloudy',
      match_type: 'config_name',
      servers: 1,
    })
    await apart.close()
  })

  it(`${verifies('enkrypt:configs:validate:ok')} a sound configuration is valid, an empty one too; else it is 400 and each issue is listed`, async () => {
    const { config_id } = await world.config()
    const validate = (as: World['admin'] = world.reader) => as(`POST /configs/${config_id}/validate`)
    const valid = async (servers: number) =>
      expect((await validate()).json).toEqual({
        message: 'Configuration is valid',
        data: { valid: true, servers, issues: [] },
      })
    await valid(0)
    await world.server(config_id, { server_name: 'good', args: ['a, b', ''], env: { A: 'x' } })
    await world.op('add_config_server', {
      config_id,
      name: 'remote',
      runs: { url: 'https://example.com/mcp', headers: { Authorization: 'Bearer x' } },
    })
    await valid(2)
    const plain = { command: 'x', args: '[]', tools: '{}', input_guardrails: '{}', output_guardrails: '{}' }
    const row = (name: string, broken: object) => ({
      id: nextId('server'),
      slug: name,
      name,
      config_id,
      metadata: '{}',
      ...plain,
      ...times(),
      ...broken,
    })
    await world.beside.core.store.write((db) =>
      db
        .insertInto('servers')
        .values([
          row('nameless', { name: '' }),
          row('commandless', { command: null }),
          row('argless', { args: '{"0":"x"}' }),
          row('numbered', { args: '[1]' }),
          row('unguarded', { input_guardrails: '{"block":["nothing"]}' }),
          row('sealed', { env: Buffer.from('moved from another row') }),
        ] as never)
        .execute(),
    )
    for (const as of [world.admin, world.operator, world.reader]) {
      const [status, detail] = refused(await validate(as))
      expect(status).toBe(400)
      for (const issue of [
        /Server nameless has no name\./,
        /commandless has neither a command nor a url/,
        /argless has no list of arguments/,
        /numbered has no list of arguments/,
        /unguarded has unsound input guardrails/,
        /sealed has variables that cannot be opened/,
      ])
        expect(detail).toMatch(issue)
      expect(detail).not.toMatch(/good|remote/)
    }
  })
})
