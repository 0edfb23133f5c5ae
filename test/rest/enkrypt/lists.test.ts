import { setTimeout } from 'node:timers/promises'
import type { Insertable } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Schema } from '../../../db/schema.ts'
import { secretColumns } from '../../../src/core/new-secret.ts'
import { type IdKind, makeId } from '../../../src/domain/id.ts'
import { makeSecret } from '../../../src/domain/secret.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { times } from '../../support/world.ts'
import { type Data, made, openWorld, type Project, refused, type World } from './support.ts'

const most = 10_000

describe.each(databases)('lists on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const list = async (line: string, body?: object): Promise<Data[]> =>
    (await made(world.reader(line, body))) as Data[]

  it(`${verifies('enkrypt:wire:list:complete')} a list of nothing is []`, async () => {
    for (const line of ['GET /configs', 'GET /projects', 'GET /users', 'GET /api-keys']) {
      expect([line, await list(line)]).toEqual([line, []])
    }
    for (const line of ['POST /configs/search', 'POST /projects/search', 'POST /users/search']) {
      expect([line, await list(line, { search_term: '' })]).toEqual([line, []])
    }
    const { config_id } = await world.config()
    const { user_id } = await world.user()
    const { project } = await world.op('create_project', { name: 'Empty' })
    for (const line of [
      `GET /configs/${config_id}/servers`,
      `GET /configs/${config_id}/projects`,
      `GET /projects/${project.id}/users`,
      `GET /users/${user_id}/projects`,
      `GET /users/${user_id}/api-keys`,
    ]) {
      expect([line, await list(line)]).toEqual([line, []])
    }
  })

  it(`${verifies('enkrypt:wire:list:complete')} every list holds all there is, oldest first, however much it is`, async () => {
    const { project_id, user_id, key } = await world.project()
    const { config_id } = await world.config('Long list')
    const made = { configs: [] as string[], servers: [] as string[], users: [] as string[] }
    const projects: string[] = []
    const keys: string[] = [key.api_key_id]
    for (let n = 0; n < 22; n++) {
      made.configs.push((await world.config(`Long ${n}`)).config_id)
      made.servers.push((await world.server(config_id)).server_id)
      made.users.push((await world.user()).user_id)
      const { project } = await world.op('create_project', { name: `Long ${n}` })
      await world.op('assign_config', { project_id: project.id, config_id })
      projects.push(project.id)
      keys.push((await world.op('generate_user_key', { user_id, project_id }))['token'].id)
    }
    const ids = async (line: string, name: string, body?: object) =>
      (await list(line, body)).map((one) => one[name])
    const all = await ids('GET /configs', 'mcp_config_id')
    expect(all.slice(-22)).toEqual(made.configs)
    expect([...all].sort()).toEqual(all)
    const search = { search_term: 'LONG ' }
    const found = await ids('POST /configs/search', 'mcp_config_id', search)
    expect(found).toEqual([config_id, ...made.configs])
    expect(await ids(`GET /configs/${config_id}/servers`, 'server_id')).toEqual(made.servers)
    expect(await ids(`GET /configs/${config_id}/projects`, 'project_id')).toEqual(projects)
    expect((await ids('GET /users', 'user_id')).slice(-22)).toEqual(made.users)
    expect((await ids('GET /projects', 'project_id')).slice(-22)).toEqual(projects)
    expect(await ids('POST /projects/search', 'project_id', search)).toEqual(projects)
    expect(await ids('GET /api-keys', 'api_key_id')).toEqual(keys)
    expect(await ids(`GET /users/${user_id}/api-keys`, 'api_key_id')).toEqual(keys)
    const whole = await world.reader(`GET /configs/${config_id}`)
    expect(whole.json.data.mcp_config.map((one: Data) => one['server_id'])).toEqual(made.servers)
    // Nothing of paging is in an answer, and asking for a page changes nothing.
    expect((await ids('GET /configs?limit=1&cursor=x&order=desc', 'mcp_config_id')).length).toBe(all.length)
  })

  describe('as long as a list may be', () => {
    let full: World
    let project: Project
    beforeAll(async () => {
      full = await openWorld(database)
      project = await full.project()
      await fill(full, project)
      // The planting held the process up; a connection that was closed meanwhile is noticed now.
      await setTimeout(200)
    })
    afterAll(() => full.close())

    /** Every list that holds `most` entries, and what one more is. */
    const lists: [string, (p: Project) => [string, object?], (p: Project) => Promise<unknown>][] = [
      ['configurations', () => ['GET /configs'], () => full.config()],
      ['found configurations', () => ['POST /configs/search', { search_term: '' }], () => full.config()],
      [
        'servers of a configuration',
        (p) => [`GET /configs/${p.config_id}/servers`],
        (p) => plant(full, 'servers', [serverRow(p)]),
      ],
      [
        'projects of a configuration',
        (p) => [`GET /configs/${p.config_id}/projects`],
        (p) => plant(full, 'projects', [projectRow(p)]),
      ],
      ['projects', () => ['GET /projects'], (p) => plant(full, 'projects', [projectRow(p)])],
      ['users', () => ['GET /users'], () => full.user()],
      [
        'members of a project',
        (p) => [`GET /projects/${p.project_id}/users`],
        async (p) => {
          const { user_id } = await full.user()
          await plant(full, 'project_members', [memberRow(p.project_id, user_id)])
        },
      ],
      [
        'projects of a user',
        (p) => [`GET /users/${p.user_id}/projects`],
        async (p) => {
          const more = projectRow(p)
          await plant(full, 'projects', [more])
          await plant(full, 'project_members', [memberRow(more.id, p.user_id)])
        },
      ],
      ['keys', () => ['GET /api-keys'], (p) => plant(full, 'tokens', [keyRow(full, p)])],
      [
        'keys of a user',
        (p) => [`GET /users/${p.user_id}/api-keys`],
        (p) => plant(full, 'tokens', [keyRow(full, p)]),
      ],
    ]

    it(`${verifies('enkrypt:wire:list:cap')} a list of 10,000 is whole, and one more is 409 and never cut`, async () => {
      for (const [name, ask] of lists) {
        const answer = await full.reader(...ask(project))
        expect([name, answer.status, answer.json.data.length]).toEqual([name, 200, most])
      }
      for (const [name, ask, more] of lists) {
        await more(project)
        const refusal = refused(await full.reader(...ask(project)))
        expect([name, ...refusal]).toEqual([name, 409, expect.stringContaining('10000')])
      }
      // What is narrow enough is told all the same.
      const { status, json } = await full.reader('POST /configs/search', {
        search_term: project.config_name,
      })
      expect([status, json.data.length]).toEqual([200, 1])
    }, 120_000)
  })
})

async function plant<T extends keyof Schema>({ beside }: World, table: T, rows: Insertable<Schema[T]>[]) {
  await beside.core.store.write(async (db) => {
    for (let at = 0; at < rows.length; at += 500) {
      await db
        .insertInto(table)
        .values(rows.slice(at, at + 500) as never)
        .execute()
    }
  })
}

let planted = 0
const name = () => {
  planted += 1
  return `planted ${planted}`
}

/** An id of its own for more rows than one change can make. */
function nextId(kind: IdKind): string {
  planted += 1
  return makeId(kind, Date.now(), planted >> 16, planted & 0xffff)
}

/** Fills the store with rows until each list holds `most`; the project brought one of each but servers. */
async function fill(world: World, project: Project): Promise<void> {
  const rows = <Row>(row: () => Row, count = most - 1) => Array.from({ length: count }, row)
  const users = rows(userRow)
  const projects = rows(() => projectRow(project))
  await plant(
    world,
    'configs',
    rows(() => ({ id: nextId('config'), name: name(), ...times() })),
  )
  await plant(
    world,
    'servers',
    rows(() => serverRow(project), most),
  )
  await plant(world, 'projects', projects)
  await plant(world, 'users', users)
  await plant(world, 'project_members', [
    ...users.map(({ id }) => memberRow(project.project_id, id)),
    ...projects.map(({ id }) => memberRow(id, project.user_id)),
  ])
  await plant(
    world,
    'tokens',
    rows(() => keyRow(world, project)),
  )
}

function userRow() {
  return { id: nextId('user'), email: `${name().replace(' ', '-')}@example.com`, enabled: 1, ...times() }
}

function memberRow(project_id: string, user_id: string) {
  return { project_id, user_id, created_at: times().created_at }
}

function serverRow({ config_id }: Project) {
  const label = name()
  return {
    id: nextId('server'),
    slug: label.replace(' ', '-'),
    name: label,
    config_id,
    metadata: '{}',
    command: 'x',
    args: '[]',
    tools: '{}',
    input_guardrails: '{}',
    output_guardrails: '{}',
    ...times(),
  }
}

function projectRow({ config_id }: Project) {
  return { id: nextId('project'), name: name(), config_id, ...times() }
}

function keyRow({ beside }: World, { user_id, project_id }: Project) {
  return {
    id: nextId('token'),
    kind: 'user_key' as const,
    source: 'operation' as const,
    name: name(),
    metadata: '{}',
    all_servers: 1,
    enabled: 1,
    generation: 1,
    created_by: null,
    owner_id: user_id,
    project_id,
    ...secretColumns(beside.core.keys, makeSecret('mcpt')),
    ...times(),
  }
}
