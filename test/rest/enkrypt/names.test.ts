import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { idPrefixes } from '../../../src/domain/id.ts'
import { statuses, wire } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, nextId, plantServer, times } from '../../support/world.ts'
import { type Data, made, openWorld, refused, type World } from './support.ts'

/** Names that are written with care in a URL. */
const odd = [
  'with two  blanks',
  'plus+plus',
  'slash/slash',
  'someone@example.com',
  'Größe 漢字 🧪',
  '100% sure',
  'a%2Fb',
  '%41',
  'a?b=c#d&e',
  'quoted "name"',
  "it's; drop table configs --",
  'back\\slash',
  '%_',
  'copy',
  'import',
  'search',
  'servers',
  '[object Object]',
]

describe.each(databases)('names on $name', (database) => {
  let world: World
  let config_id: string
  beforeAll(async () => {
    world = await openWorld(database)
    config_id = (await world.config()).config_id
  })
  afterAll(() => world.close())

  const tables = ['configs', 'servers', 'projects']

  /** Everything that is given a name, by the field it is given in. */
  const makers: [string, (name: unknown) => ReturnType<World['admin']>][] = [
    ['config_name', (name) => world.admin('POST /configs', { config_name: name })],
    ['new_name', (name) => world.admin(`PUT /configs/${config_id}/rename`, { new_name: name })],
    [
      'target_config',
      (name) => world.admin('POST /configs/copy', { source_config: config_id, target_config: name }),
    ],
    [
      'config_name',
      (name) =>
        world.admin('POST /configs/import', { config_name: name, data: { config: { mcp_config: [] } } }),
    ],
    [
      'server_name',
      (name) => world.admin(`POST /configs/${config_id}/servers`, { server_name: name, server_command: 'x' }),
    ],
    ['project_name', (name) => world.admin('POST /projects', { project_name: name })],
  ]

  it.each(makers.map(([field, make], at) => ({ field, make, at })))(
    `${verifies('enkrypt:wire:name:rules')} R20: $field ($at) is trimmed, has 1 to 200 characters, none of them a control character, and is no id`,
    async ({ field, make, at }) => {
      const kept = `${at} name `
      for (const [asked, name] of [
        [`  ${kept}\t`, kept.trim()],
        [`${at}${'n'.repeat(199)}`, `${at}${'n'.repeat(199)}`],
        [`   ${at}${'m'.repeat(199)}   `, `${at}${'m'.repeat(199)}`],
        [`${at} Größe 漢字 🧪 "x" %_\\`, `${at} Größe 漢字 🧪 "x" %_\\`],
        [`cfg_${at}`, `cfg_${at}`],
      ]) {
        const { status, json, text } = await make(asked)
        expect([asked, status, text]).toEqual([asked, field === 'new_name' ? 200 : 201, expect.any(String)])
        expect([json.data.config_name ?? json.data.server_name ?? json.data.project_name]).toEqual([name])
      }
      const before = await contents(world.beside, tables)
      const idLike = Object.values(idPrefixes).map((prefix) => `${prefix}_0123456789abcdefghijAB`)
      const control = ['a\u0000b', 'a\nb', 'a\tb', 'a\rb', 'a\u001bb', 'a\u007fb', 'a\u0085b', 'a\ud800b']
      const bad = ['', ' ', '\t\n', 'n'.repeat(201), ...control, ...idLike, ` ${idLike[0]} `]
      for (const name of bad) {
        const refusal = refused(await make(name))
        expect([name, ...refusal]).toEqual([name, 400, expect.stringContaining(field)])
      }
      expect(await contents(world.beside, tables)).toBe(before)
    },
  )

  it(`${verifies('enkrypt:wire:name:rules')} a name is unique among its kind, and letter case makes it another`, async () => {
    const other = await world.config('Kind')
    const twice: [string, (name: string) => ReturnType<World['admin']>][] = makers
      .filter(([field]) => field !== 'new_name')
      .map(([field, make]) => [field, make])
    for (const [at, [, make]] of twice.entries()) {
      const name = `Unique ${at}`
      expect((await make(name)).status).toBe(201)
      for (const again of [name, `  ${name} `]) {
        expect(refused(await make(again))).toEqual([409, expect.stringMatching(/name/)])
      }
      expect((await make(name.toUpperCase())).status).toBe(201)
    }
    // Another kind of thing may have the name, and so may a server of another configuration.
    expect((await world.admin('POST /projects', { project_name: 'Kind' })).status).toBe(201)
    await world.server(config_id, { server_name: 'Kind' })
    await world.server(other.config_id, { server_name: 'Kind' })
    expect((await world.admin('GET /configs/kind')).status).toBe(404)
    expect((await world.admin('GET /configs/Kind')).status).toBe(200)
  })

  it(`${verifies('enkrypt:wire:description:rules')} a description has up to 2,000 characters and no control characters but newline and tab`, async () => {
    const { server_id } = await world.server(config_id)
    const line = `/configs/${config_id}/servers`
    const makers = [
      (description: string) => world.server(config_id, { description }),
      (description: string) => made(world.admin(`PUT ${line}/${server_id}`, { description })),
    ]
    for (const make of makers) {
      for (const description of ['', 'd'.repeat(2_000), 'two\nlines\tand a tab', ' blanks ', 'Größe 漢字']) {
        const { server_id: id } = await make(description)
        expect((await made(world.reader(`GET ${line}/${id}`)))['description']).toBe(description)
      }
    }
    const bad = ['d'.repeat(2_001), 'a\u0000b', 'a\u0007b', 'a\rb', 'a\u007fb', 'a\u001b[0m']
    for (const description of bad) {
      const body = { server_name: 'described', server_command: 'x', description }
      expect(refused(await world.admin(`POST ${line}`, body))).toEqual([
        400,
        expect.stringContaining('description'),
      ])
      expect(refused(await world.admin(`PUT ${line}/${server_id}`, { description }))).toEqual([
        400,
        expect.stringContaining('description'),
      ])
    }
    expect((await world.admin(`GET ${line}/described`)).status).toBe(404)
  })

  it.each(odd)(
    `${verifies('enkrypt:wire:identifier:decoding', 'enkrypt:configs:get:ok')} %j is found under its name in every path`,
    async (name) => {
      const written = encodeURIComponent(name)
      const { config_id: id } = await world.config(name)
      const { server_id } = await world.server(written, { server_name: name })
      const { project_id } = await made(world.admin('POST /projects', { project_name: name }))
      const server = `/configs/${written}/servers/${written}`
      expect((await made(world.reader(`GET /configs/${written}`)))['mcp_config_id']).toBe(id)
      expect((await made(world.reader(`GET ${server}`)))['server_id']).toBe(server_id)
      expect((await made(world.admin(`PUT ${server}`, { args: [name] })))['config'].args).toEqual([name])
      expect((await made(world.admin(`PUT ${server}/guardrails`, { input_policy: {} }))) as Data).toBeTruthy()
      expect(
        (await world.admin(`POST /projects/${written}/assign-config`, { config_name: name })).status,
      ).toBe(200)
      const used = await made(world.reader(`GET /configs/${written}/projects`))
      expect(used).toEqual([{ project_id, project_name: name, users: 0 }])
      expect((await made(world.reader(`GET /projects/${written}/config`)))['mcp_config_id']).toBe(id)
      const copied = { source_config: name, target_config: `${name} copied` }
      expect((await world.admin('POST /configs/copy', copied)).status).toBe(201)
      expect((await world.admin(`POST /projects/${written}/unassign-config`)).status).toBe(200)
      expect((await world.admin(`DELETE ${server}`)).status).toBe(200)
      expect((await world.admin(`PUT /configs/${written}/rename`, { new_name: `${name} 2` })).status).toBe(
        200,
      )
      expect((await world.admin(`DELETE /configs/${encodeURIComponent(`${name} 2`)}`)).status).toBe(200)
      expect((await world.admin(`GET /configs/${id}`)).status).toBe(404)
    },
  )

  it(`${verifies('enkrypt:wire:identifier:decoding')} a path is decoded once, + is a plus, and what cannot be decoded is not found`, async () => {
    const blank = await world.config('a b')
    const plus = await world.config('a+b')
    const slash = await world.config('a/b')
    const escaped = await world.config('a%2Fb')
    const dots = await world.config('..')
    const found: [string, Data][] = [
      ['a%20b', blank],
      ['a+b', plus],
      ['a%2Bb', plus],
      ['a%2Fb', slash],
      ['a%2fb', slash],
      ['a%252Fb', escaped],
      ['..', dots],
      ['%2E%2E', dots],
    ]
    const { raw, port } = world.running
    // By hand, because clients take dots out of a path.
    const get = (path: string) =>
      raw(
        wire(`GET /api/v1/configs/${path} HTTP/1.1`, [
          `host: 127.0.0.1:${port}`,
          `authorization: Bearer ${world.keys.reader}`,
        ]),
      )
    for (const [path, { config_id }] of found) {
      const heard = await get(path)
      expect([path, statuses(heard)]).toEqual([path, [200]])
      expect(heard).toContain(config_id)
    }
    for (const path of ['%', '%zz', '%e0%a4', '%00', '%ff', 'a%252520b', '%2525', `%20`, 'x'.repeat(4_000)]) {
      expect([path, statuses(await get(path))]).toEqual([path, [404]])
    }
  })

  it(`${verifies('enkrypt:wire:identifier:id-wins')} a text in the form of an id is only looked up as an id`, async () => {
    const real = await world.config()
    const unknown = nextId('config')
    const [server, project] = [nextId('server'), nextId('project')]
    // No operation gives such names.
    await world.beside.core.store.write(async (db) => {
      await db
        .insertInto('configs')
        .values([
          { id: nextId('config'), name: real.config_id, ...times() },
          { id: nextId('config'), name: unknown, ...times() },
          { id: nextId('config'), name: server, ...times() },
        ])
        .execute()
      await db
        .insertInto('projects')
        .values({ id: nextId('project'), name: project, ...times() })
        .execute()
    })
    await plantServer(world.beside, { config_id: real.config_id, name: server })
    expect((await made(world.reader(`GET /configs/${real.config_id}`)))['mcp_config_name']).toBe(
      real.config_name,
    )
    for (const line of [
      `GET /configs/${unknown}`,
      `GET /configs/${server}`,
      `DELETE /configs/${unknown}`,
      `GET /configs/${real.config_id}/servers/${server}`,
      `DELETE /configs/${real.config_id}/servers/${server}`,
      `GET /projects/${project}`,
      `DELETE /projects/${project}`,
    ]) {
      expect([line, refused(await world.admin(line))[0]]).toEqual([line, 404])
    }
    const copy = { source_config: unknown, target_config: world.fresh('copy') }
    expect((await world.admin('POST /configs/copy', copy)).status).toBe(404)
  })

  it(`${verifies('enkrypt:wire:identifier:id-wins')} nothing else is found by a name: no server by its slug or outside its configuration, no user by a name, no key by one`, async () => {
    const { config_id: id } = await world.config()
    const { server_slug } = await world.server(id, { server_name: 'Named Server' })
    const other = await world.config()
    const { user_id } = await world.user({ name: 'A Person' })
    const { project_id } = await world.project()
    await world.op('add_project_member', { project_id, user_id })
    const key = await world.op('generate_user_key', { project_id, user_id, name: 'A Key' })
    for (const line of [
      `GET /configs/${id}/servers/${server_slug}`,
      `GET /configs/${other.config_id}/servers/Named%20Server`,
      `DELETE /configs/${other.config_id}/servers/Named%20Server`,
      'GET /users/A%20Person',
      'DELETE /users/A%20Person/api-keys',
      'GET /api-keys/A%20Key',
      'DELETE /api-keys/A%20Key',
    ]) {
      expect([line, refused(await world.admin(line))[0]]).toEqual([line, 404])
    }
    expect((await world.admin(`GET /configs/${id}/servers/Named%20Server`)).status).toBe(200)
    expect((await world.admin(`GET /api-keys/${key['token'].id}`)).status).toBe(200)
  })
})
