import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, stateTables } from '../../support/world.ts'
import { openWorld, routes, type Thing, type World } from './world.ts'

const nested = (levels: number) => `${'{"a":'.repeat(levels - 2)}{}${'}'.repeat(levels - 2)}`

describe.each(databases)('bodies of Metorial routes on $name', (database) => {
  let world: World
  let token: Thing
  beforeAll(async () => {
    world = await openWorld(database)
    token = await world.token()
  })
  afterAll(() => world.close())

  const create = (body: unknown, headers?: Record<string, string>) =>
    world.admin('POST /magic-mcp-tokens', body, headers)

  /** Expects a refusal that leaves nothing behind. */
  async function refused(body: unknown, headers?: Record<string, string>) {
    await world.beside.core.uses.flush()
    const before = await contents(world.beside, stateTables.slice(1))
    const answer = await create(body, headers)
    expect(answer.json).toMatchObject({ object: 'error', ok: false, status: answer.status })
    expect(await contents(world.beside, stateTables.slice(1))).toBe(before)
    expect((await world.admin('GET /magic-mcp-tokens?limit=100')).text).not.toContain('refused')
    return answer
  }

  it.each([
    ['application/json', 200],
    ['application/json; charset=utf-8', 200],
    ['application/json;charset=UTF-8', 200],
    ['Application/JSON ; x=y', 200],
    ['application/x-www-form-urlencoded', 400],
    ['multipart/form-data; boundary=x', 400],
    ['text/plain', 400],
    ['application/jsonx', 400],
    ['application/vnd.api+json', 400],
    ['text/json', 400],
  ])(`${verifies('metorial:wire:body:content-type')} a body of type %s is %i`, async (type, status) => {
    const { json, status: found } = await create('{"name":"typed"}', { 'content-type': type })
    expect(found).toBe(status)
    if (status === 400)
      expect(json).toMatchObject({ code: 'bad_request', reason: 'unsupported_content_type' })
  })

  it(`${verifies('metorial:wire:body:content-type')} without a Content-Type a body is read as JSON`, async () => {
    const { raw, port } = world.running
    const body = '{"name":"untyped"}'
    const head = ['POST /magic-mcp-tokens HTTP/1.1', `host: 127.0.0.1:${port}`]
    const rest = [
      `authorization: Bearer ${world.keys.admin}`,
      `content-length: ${body.length}`,
      'connection: close',
    ]
    const heard = await raw(`${[...head, ...rest].join('\r\n')}\r\n\r\n${body}`)
    expect(heard).toMatch(/^HTTP\/1\.1 200 /)
    expect(heard).toContain('"name":"untyped"')
  })

  it(`${verifies('metorial:wire:body:content-type')} a form is refused although it names every field`, async () => {
    const { json } = await refused('name=refused', { 'content-type': 'application/x-www-form-urlencoded' })
    expect(json).toMatchObject({ status: 400, reason: 'unsupported_content_type' })
  })

  it(`${verifies('metorial:wire:body:empty')} no body is {}, of whatever type, and GET and DELETE need none`, async () => {
    for (const headers of [{}, { 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
      const patched = await world.admin(`PATCH /magic-mcp-tokens/${token.id}`, undefined, headers)
      expect([patched.status, patched.json.name]).toEqual([200, token.name])
      const created = await world.admin('POST /magic-mcp-tokens', undefined, headers)
      expect(created.json).toMatchObject({ status: 400, code: 'invalid_data', errors: [{ path: ['name'] }] })
      expect((await world.admin('POST /magic-mcp-servers', undefined, headers)).status).toBe(200)
    }
    expect((await world.admin(`POST /magic-mcp-tokens/${token.id}/rotate`, '')).status).toBe(200)
    for (const kind of ['token', 'group', 'server'] as const) {
      const { id } = await world[kind]()
      expect((await world.admin(`GET /magic-mcp-${kind}s/${id}`)).status).toBe(200)
      expect((await world.admin(`DELETE /magic-mcp-${kind}s/${id}`)).json.status).toBe('deleted')
    }
    // A body that came all the same is not looked at.
    const { id } = await world.token()
    expect((await world.admin(`DELETE /magic-mcp-tokens/${id}`, '{broken')).status).toBe(200)
  })

  it.each([
    '{',
    '{"name":"refused"',
    "{'name':'refused'}",
    '{"name":"refused",}',
    'name',
    '\ufeff{"name":"refused"}',
    ' ',
  ])(`${verifies('metorial:wire:body:invalid-json')} %j is no JSON`, async (body) => {
    expect((await refused(body)).json).toMatchObject({
      status: 400,
      code: 'bad_request',
      reason: 'invalid_json_body',
    })
  })

  it.each(['[]', '[{"name":"refused"}]', '"refused"', '1', 'true', 'null'])(
    `${verifies('metorial:wire:body:invalid-json')} %s is JSON and no object`,
    async (body) => {
      expect((await refused(body)).json).toMatchObject({ status: 400, code: 'invalid_data', entity: 'body' })
    },
  )

  it(`${verifies('metorial:wire:body:unknown-fields')} unknown fields and parameters are dropped and do nothing`, async () => {
    const extra = {
      id: 'mgtk_0000000000000000000000',
      status: 'deleted',
      secret: 'mcpt_mine',
      kind: 'management',
      role: 'admin',
      all_servers: false,
      access: { all_servers: false },
      allowed_ips: ['10.0.0.1'],
      expires_at: '2030-01-01T00:00:00Z',
      project_id: 'proj_x',
      delivery: 'link',
      enabled: false,
      constructor: { prototype: { admin: true } },
    }
    const made = await create({ name: 'extra', ...extra })
    expect(made.status).toBe(200)
    expect(made.json).toMatchObject({
      name: 'extra',
      status: 'active',
      disabled: false,
      expires_at: null,
      access: { all_servers: true, magic_mcp_server_ids: [] },
    })
    expect(made.json.id).not.toBe(extra.id)
    expect(made.json.secret).toMatch(/^mcpt_.{43}$/)
    const proto = await create('{"name":"proto","__proto__":{"description":"refused","group_ids":["x"]}}')
    expect(proto.json).toMatchObject({ name: 'proto', description: null, groups: [] })
    const query = '?foo=bar&__proto__=x&constructor=y&status%5Bx%5D=nope&limit%5Bx%5D=0&page=2&key=x'
    const all = await world.admin(`GET /magic-mcp-tokens${query}`)
    expect(all.json).toEqual((await world.admin('GET /magic-mcp-tokens')).json)
    for (const { line, kind, body } of routes.filter(({ body }) => body !== undefined)) {
      const { id } = await world[kind]()
      expect([line, (await world.admin(line.replace(':id', id), { ...body, nonsense: [1] })).status]).toEqual(
        [line, 200],
      )
    }
  })

  it(`${verifies('metorial:wire:body:null')} null is 400 for each optional field, and "" empties a description`, async () => {
    const group = await world.group({ description: 'old' })
    const server = await world.server({ description: 'old' })
    const own = await world.token({ description: 'old' })
    const texts = ['name', 'description', 'metadata']
    for (const [line, members] of [
      ['POST /magic-mcp-tokens', [...texts, 'group_ids', 'magic_mcp_group_ids', 'magic_mcp_server_id']],
      ['POST /magic-mcp-groups', texts],
      ['POST /magic-mcp-servers', texts],
      [`PATCH /magic-mcp-tokens/${own.id}`, texts],
      [`PATCH /magic-mcp-groups/${group.id}`, texts],
      [`PATCH /magic-mcp-servers/${server.id}`, texts],
      [`POST /magic-mcp-tokens/${own.id}/add-groups`, ['magic_mcp_group_ids']],
      [`POST /magic-mcp-tokens/${own.id}/remove-groups`, ['magic_mcp_group_ids']],
      [`POST /magic-mcp-groups/${group.id}/add-servers`, ['magic_mcp_server_ids']],
      [`POST /magic-mcp-groups/${group.id}/remove-servers`, ['magic_mcp_server_ids']],
    ] as [string, string[]][]) {
      for (const member of members) {
        const { json } = await world.admin(line, { name: 'refused', [member]: null })
        const error = { path: [member], received: 'null' }
        const told = { status: 400, code: 'invalid_data', entity: 'body', errors: [error] }
        expect([line, member, json]).toMatchObject([line, member, told])
      }
    }
    for (const thing of [own, group, server]) {
      const path = `/${thing.object.replace('magic_mcp.', 'magic-mcp-')}s/${thing.id}`
      const { json } = await world.admin(`PATCH ${path}`, { description: '' })
      expect([json.description, json.name]).toEqual(['', thing.name])
    }
  })

  it.each([
    [{ name: 'x'.repeat(200), description: 'y'.repeat(2_000) }, undefined],
    [{ name: '', description: '' }, undefined],
    [{ name: 'tab and line', description: 'a\n\tb\n' }, undefined],
    [{ name: '  kept  as it is ' }, undefined],
    [{ name: '🧪'.repeat(200), description: '🧪'.repeat(2_000) }, undefined],
    [{ name: '🧪'.repeat(201) }, { code: 'max_length', path: ['name'], max: 200 }],
    [{ name: 'x'.repeat(201) }, { code: 'max_length', path: ['name'], max: 200 }],
    [
      { name: 'x', description: 'y'.repeat(2_001) },
      { code: 'max_length', path: ['description'], max: 2_000 },
    ],
    [{ name: 'a\nb' }, { path: ['name'] }],
    [{ name: 'a\tb' }, { path: ['name'] }],
    [{ name: 'a\u0000b' }, { path: ['name'] }],
    [{ name: 'a\u007fb' }, { path: ['name'] }],
    [{ name: 'a\u0085b' }, { path: ['name'] }],
    [{ name: 'x', description: 'a\u0000b' }, { path: ['description'] }],
    [{ name: 'x', description: 'a\u001bb' }, { path: ['description'] }],
    [{ name: 5 }, { code: 'invalid_type', path: ['name'], expected: 'string', received: 'number' }],
    [{ name: true }, { code: 'invalid_type', path: ['name'], received: 'boolean' }],
    [{ name: ['x'] }, { code: 'invalid_type', path: ['name'], received: 'array' }],
    [
      { name: 'x', description: 5 },
      { code: 'invalid_type', path: ['description'], received: 'number' },
    ],
    [
      { name: 'x', description: false },
      { code: 'invalid_type', path: ['description'] },
    ],
  ])(`${verifies('metorial:wire:body:string-limit')} bounds of texts: %j`, async (body, problem) => {
    for (const kind of ['token', 'group', 'server'] as const) {
      const own = await world[kind]()
      const routes = [`POST /magic-mcp-${kind}s`, `PATCH /magic-mcp-${kind}s/${own.id}`]
      for (const line of routes) {
        const { status, json } = await world.admin(line, body)
        if (problem === undefined) expect([status, json]).toMatchObject([200, body])
        else
          expect(json).toMatchObject({ status: 400, code: 'invalid_data', entity: 'body', errors: [problem] })
      }
    }
  })

  it(`${verifies('metorial:wire:body:name-not-id')} a name in the form of an id of any kind is 400`, async () => {
    const { admin, token: ofToken } = world
    const ids = [
      token.id,
      ` ${token.id} `,
      (await world.group()).id,
      (await world.server()).id,
      ...['mkey', 'proj', 'usr', 'cfg', 'env', 'evt'].map((prefix) => `${prefix}_0123456789ABCDEFGHIJab`),
    ]
    for (const name of ids) {
      for (const line of [
        'POST /magic-mcp-tokens',
        'POST /magic-mcp-groups',
        'POST /magic-mcp-servers',
        `PATCH /magic-mcp-tokens/${token.id}`,
      ]) {
        expect([name, (await admin(line, { name })).json]).toMatchObject([
          name,
          { status: 400, code: 'invalid_data', errors: [{ code: 'invalid_type', path: ['name'] }] },
        ])
      }
    }
    expect((await ofToken({ name: `${token.id} copy` })).name).toBe(`${token.id} copy`)
  })

  it.each([
    '{}',
    '{"a":1,"b":[null,true,"x",{"c":1.5}],"":"empty","ü":"é🌍"}',
    '{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}},"toString":"x","hasOwnProperty":false}',
    '{"deep":{"__proto__":[{"__proto__":"y"}]}}',
    '{"nul":"a\\u0000b","quote":"\\"\\\\","text":"\\\\ud800"}',
    '{"z":1,"a":2,"m":{"y":1,"x":2}}',
    '{"big":9007199254740991,"small":1e-300,"large":1e+300,"exact":0.1}',
  ])(`${verifies('metorial:wire:body:metadata')} %s comes back exactly as sent`, async (metadata) => {
    for (const kind of ['token', 'group', 'server'] as const) {
      const made = await world.admin(`POST /magic-mcp-${kind}s`, `{"name":"exact","metadata":${metadata}}`)
      const held = `"metadata":${metadata},`
      expect(made.text).toContain(held)
      const path = `/magic-mcp-${kind}s/${made.json.id}`
      expect((await world.admin(`GET ${path}`)).text).toContain(held)
      await world.admin(`PATCH ${path}`, '{"metadata":{"other":1}}')
      expect((await world.admin(`PATCH ${path}`, `{"metadata":${metadata}}`)).text).toContain(held)
      expect((await world.admin(`GET /magic-mcp-${kind}s?order=desc&limit=1`)).text).toContain(held)
    }
    // None of it did anything to the server.
    expect(({} as Record<string, unknown>).admin).toBeUndefined()
    expect(Object.prototype).not.toHaveProperty('x')
    expect((await world.as(world.keys.validator)('GET /magic-mcp-tokens')).status).toBe(403)
  })

  it.each(['[]', '"text"', '5', 'true', '[{"a":1}]', '{"far":1e999}', '{"half":"\\ud800"}', '{"\\udfff":1}'])(
    `${verifies('metorial:wire:body:metadata')} metadata %s is 400`,
    async (metadata) => {
      const { json } = await refused(`{"name":"refused","metadata":${metadata}}`)
      expect(json).toMatchObject({ status: 400, code: 'invalid_data', errors: [{ path: ['metadata'] }] })
    },
  )

  it(`${verifies('metorial:wire:body:too-large')} a body of 256 KiB is read, and not a byte more`, async () => {
    const sized = (bytes: number) => {
      const start = '{"name":"sized","metadata":{"a":"'
      return `${start}${'x'.repeat(bytes - start.length - 3)}"}}`
    }
    const whole = await create(sized(262_144))
    expect([whole.status, whole.json.metadata.a.length]).toEqual([200, 262_144 - 36])
    for (const body of [sized(262_145), sized(500_000)]) {
      const { status, json } = await create(body)
      expect([status, json]).toMatchObject([
        413,
        { status: 413, code: 'bad_request', reason: 'body_too_large' },
      ])
    }
  })

  it(`${verifies('metorial:wire:body:too-complex')} 32 levels and 1,000 members are read, and no more`, async () => {
    const deep = (levels: number) => `{"name":"deep","metadata":${nested(levels)}}`
    const wide = (members: number) =>
      `{"name":"wide","metadata":{${Array.from({ length: members - 2 }, (_, at) => `"m${at}":${at}`).join()}}}`
    expect((await create(deep(32))).status).toBe(200)
    expect((await create(wide(1_000))).status).toBe(200)
    for (const body of [deep(33), wide(1_001), '['.repeat(5_000), `[${'0,'.repeat(1_000)}0]`]) {
      expect((await create(body)).json).toMatchObject({
        status: 400,
        code: 'bad_request',
        reason: 'body_too_complex',
      })
    }
  })

  it('R24: a compressed body is not read', async () => {
    const { json } = await create('{"name":"refused"}', { 'content-encoding': 'gzip' })
    expect(json).toMatchObject({ status: 400, code: 'bad_request', reason: 'unsupported_content_type' })
  })
})
