import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, makeToken, trailOf } from '../../support/world.ts'
import { play, sendAs } from '../support.ts'
import { type Data, isoTime, lineOf, made, openWorld, refused, type World } from './support.ts'
import { bodyOf, filled, none, table } from './table.ts'

const off = { enabled: false, policy_name: '', additional_config: {}, block: [] }
const full = {
  server_name: 'github_server',
  server_command: 'npx',
  args: ['-y', '@modelcontextprotocol/server-github', 'with, comma', 'and blanks', ''],
  env: { GITHUB_TOKEN: 'value', EMPTY: '' },
  tools: { search: { description: 'Searches' }, list: {} },
  description: 'GitHub MCP Server',
  input_guardrails_policy: { enabled: true, policy_name: 'Sample Policy' },
  output_guardrails_policy: { block: ['pii'] },
}

describe.each(databases)('servers of configurations on $name', (database) => {
  let world: World
  let c: string
  beforeAll(async () => {
    world = await openWorld(database)
    c = (await world.config()).config_id
  })
  afterAll(() => world.close())

  const get = (s: string, config = c) => made(world.reader(`GET /configs/${config}/servers/${s}`))
  const put = (s: string, body: object) => world.admin(`PUT /configs/${c}/servers/${s}`, body)
  const listed = async (config = c) => (await made(world.reader(`GET /configs/${config}/servers`))) as Data[]

  it(`${verifies('enkrypt:servers:add:ok')} all eight fields are kept and shown, env masked, with one row in the trail`, async () => {
    const { json } = await play(world.running, world.beside, {
      it: 'add',
      as: world.keys.admin,
      send: [lineOf(`POST /configs/${c}/servers`), full],
      status: 201,
      audits: [{ action: 'add_config_server', outcome: 'ok', via: 'enkrypt' }],
    })
    const { server_id, server_slug } = json.data
    expect(json.data).toEqual({ server_id, server_slug: 'github-server', server_name: 'github_server' })
    const shown = {
      server_id,
      server_slug,
      server_name: 'github_server',
      description: 'GitHub MCP Server',
      config: {
        command: 'npx',
        args: full.args,
        env: { GITHUB_TOKEN: '***', EMPTY: '***' },
        env_fingerprints: {
          GITHUB_TOKEN: expect.stringMatching(/^fp_/),
          EMPTY: expect.stringMatching(/^fp_/),
        },
      },
      tools: full.tools,
      input_guardrails_policy: { ...off, enabled: true, policy_name: 'Sample Policy' },
      output_guardrails_policy: { ...off, block: ['pii'] },
      created_at: expect.stringMatching(isoTime),
      updated_at: expect.stringMatching(isoTime),
    }
    expect(await get(server_id)).toEqual(shown)
    expect(await get('github_server')).toEqual(shown)
    expect((await made(world.reader(`GET /configs/${c}`)))['mcp_config']).toEqual([shown])
    const { config } = await made(world.admin(`POST /configs/${c}/export`, { include_secrets: true }))
    expect(config.mcp_config[0].config.env).toEqual(full.env)
    expect(await listed()).toEqual([
      {
        server_id,
        server_slug,
        server_name: 'github_server',
        description: 'GitHub MCP Server',
        command: 'npx',
        args: full.args,
        tools: 2,
        input_guardrails_enabled: true,
        output_guardrails_enabled: false,
      },
    ])
  })

  it(`${verifies('enkrypt:servers:add:ok')} a name and a command suffice`, async () => {
    const { server_id } = await made(
      world.admin(`POST /configs/${c}/servers`, { server_name: 'least', server_command: 'python' }),
    )
    expect(await get(server_id)).toEqual({
      server_id,
      server_slug: 'least',
      server_name: 'least',
      description: '',
      config: { command: 'python', args: [], env: {}, env_fingerprints: {} },
      tools: {},
      input_guardrails_policy: off,
      output_guardrails_policy: off,
      created_at: expect.stringMatching(isoTime),
      updated_at: expect.stringMatching(isoTime),
    })
    const long = { server_name: 'long', server_command: 'x'.repeat(1_000) }
    expect((await world.admin(`POST /configs/${c}/servers`, long)).status).toBe(201)
  })

  it(`${verifies('enkrypt:servers:add:duplicate')} a name is taken once in a configuration, also by many who ask at once, and free in another`, async () => {
    const body = { server_name: 'twice', server_command: 'x' }
    expect((await world.admin(`POST /configs/${c}/servers`, body)).status).toBe(201)
    const before = await contents(world.beside, ['servers'])
    expect(refused(await world.admin(`POST /configs/${c}/servers`, body))).toEqual([
      409,
      expect.stringMatching(/name/),
    ])
    expect(await contents(world.beside, ['servers'])).toBe(before)
    const other = (await world.config()).config_id
    expect((await world.admin(`POST /configs/${other}/servers`, body)).status).toBe(201)
    const race = { server_name: 'race', server_command: 'x' }
    const asked = Array.from({ length: 6 }, () => world.admin(`POST /configs/${c}/servers`, race))
    const statuses = (await Promise.all(asked)).map(({ status }) => status).sort()
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409])
    expect((await listed()).filter((one) => one['server_name'] === 'race')).toHaveLength(1)
  })

  it(`${verifies('enkrypt:servers:object:slug')} a slug comes from the name, counts on where it is taken, deleted ones too, and never changes`, async () => {
    const [a, b] = [(await world.config()).config_id, (await world.config()).config_id]
    const slug = async (config: string, server_name: string) =>
      (await world.server(config, { server_name })).server_slug as string
    expect(await slug(a, 'My Server_1.0')).toBe('my-server-1-0')
    expect(await slug(b, 'My Server_1.0')).toBe('my-server-1-0-2')
    expect(await slug(a, 'my server-1/0')).toBe('my-server-1-0-3')
    const { server_slug } = await get('My%20Server_1.0', b)
    await made(world.admin(`DELETE /configs/${b}/servers/My%20Server_1.0`))
    expect(server_slug).toBe('my-server-1-0-2')
    expect(await slug(b, 'My Server_1.0')).toBe('my-server-1-0-4')
    // Servers of other faces take slugs as well.
    await world.op('create_server', { name: 'Shared name' })
    expect(await slug(a, 'shared NAME')).toBe('shared-name-2')
    const { server_id } = await world.server(a, { server_name: 'before' })
    await made(world.admin(`PUT /configs/${a}/servers/before`, { server_command: 'y', args: ['x'] }))
    await world.op('update_server', { server_id, name: 'after' })
    expect(await get('after', a)).toMatchObject({ server_id, server_slug: 'before' })
    expect(await slug(a, 'before')).toBe('before-2')
  })

  it(`${verifies('enkrypt:servers:object:one-table')} there is one set of servers: every dialect shows them under one id, and a deletion anywhere is one everywhere`, async () => {
    const config = (await world.config()).config_id
    const { server_id, server_slug } = await world.server(config, { server_name: 'Shared' })
    const metorial = sendAs(world.running, world.keys.admin)
    const theirs = await metorial(`GET /magic-mcp-servers/${server_id}`)
    expect([theirs.status, theirs.json.id, theirs.json.name]).toEqual([200, server_id, 'Shared'])
    expect((await world.op('get_server', { server_id }))['server'].slug).toBe(server_slug)
    const { servers } = await world.op('list_servers', { limit: 100 })
    expect(servers.map((one: Data) => one['id'])).toContain(server_id)
    const { token } = await world.op('create_token', { name: 't', access: { servers: [server_id] } })
    const read = await metorial(`GET /magic-mcp-tokens/${token.id}`)
    expect(read.text).toContain(server_id)

    expect((await metorial(`DELETE /magic-mcp-servers/${server_id}`)).status).toBe(200)
    expect(refused(await world.reader(`GET /configs/${config}/servers/${server_id}`))[0]).toBe(404)
    expect(await listed(config)).toEqual([])
    expect((await world.op('get_server', { server_id }))['server'].deleted_at).toEqual(expect.any(String))
    const again = await world.server(config, { server_name: 'Shared' })
    expect(again.server_id).not.toBe(server_id)
    expect(again['server_slug']).toBe(`${server_slug}-2`)

    // And the other way: what is removed here is gone there.
    const list = async () =>
      (await metorial('GET /magic-mcp-servers?limit=100')).json.items.map((one: Data) => one['id'])
    expect(await list()).toContain(again.server_id)
    await made(world.admin(`DELETE /configs/${config}/servers/Shared`))
    expect(await list()).not.toContain(again.server_id)
    const gone = await metorial(`GET /magic-mcp-servers/${again.server_id}`)
    expect(gone.json).toMatchObject({ id: again.server_id, status: 'deleted' })
    const ours = await world.op('list_servers', { limit: 100 })
    const alive = ours['servers'].filter((one: Data) => one['deleted_at'] === null)
    expect(alive.map((one: Data) => one['id'])).not.toContain(again.server_id)
  })

  it(`${verifies('enkrypt:servers:add:types')} arguments and values are texts, tools an object; commas and blanks stay`, async () => {
    const before = await contents(world.beside, ['servers'])
    const bad: object[] = [
      { args: ['a', 7] },
      { args: [null] },
      { args: [['a']] },
      { args: [{}] },
      { args: 'a b' },
      { args: { 0: 'a' } },
      { args: true },
      { env: { A: 7 } },
      { env: { A: true } },
      { env: { A: null } },
      { env: { A: ['x'] } },
      { env: { A: {} } },
      { env: [] },
      { env: 'A=x' },
      { tools: [] },
      { tools: 'search' },
      { tools: 7 },
      { description: 7 },
      { input_guardrails_policy: [] },
      { output_guardrails_policy: 'on' },
      { server_command: '' },
      { server_command: '   ' },
      { server_command: 'x'.repeat(1_001) },
      { server_command: ['npx'] },
      { server_command: 'a\u0000b' },
      { server_name: 7 },
    ]
    for (const part of bad) {
      const [field = ''] = Object.keys(part)
      const body = { server_name: 'typed', server_command: 'x', ...part }
      const refusal = refused(await world.admin(`POST /configs/${c}/servers`, body))
      expect([part, ...refusal]).toEqual([part, 400, expect.stringContaining(field)])
    }
    for (const absent of ['server_name', 'server_command']) {
      const { [absent]: _, ...body } = full as Data
      expect(refused(await world.admin(`POST /configs/${c}/servers`, body))).toEqual([
        400,
        expect.stringContaining(absent),
      ])
    }
    expect(await contents(world.beside, ['servers'])).toBe(before)
    const args = ['a,b', ' c  d ', '', '"e"', "f'", '--g={"h": 1}', 'i\tj', 'Größe 漢字']
    const { server_id } = await world.server(c, { args })
    expect((await get(server_id))['config'].args).toEqual(args)
  })

  it(`${verifies('enkrypt:servers:update:member-present')} what is present is set, also to what is empty; what is absent stays`, async () => {
    const { server_id } = await world.server(c, { ...full, server_name: 'changing' })
    const values = async () => {
      const { config } = await made(world.admin(`POST /configs/${c}/export`, { include_secrets: true }))
      return config.mcp_config.find((one: Data) => one['server_id'] === server_id).config.env
    }
    let now = await get(server_id)
    const change = async (body: object, expected: object) => {
      const { json } = await play(world.running, world.beside, {
        it: JSON.stringify(body),
        as: world.keys.admin,
        send: [lineOf(`PUT /configs/${c}/servers/changing`), body],
        status: 200,
        audits: [{ action: 'update_config_server', target_id: server_id, outcome: 'ok' }],
      })
      now = { ...now, ...expected, updated_at: expect.any(String) }
      expect(json.data).toEqual(now)
      expect(await get(server_id)).toEqual(now)
    }
    const config = () => now['config']
    await change({ server_command: 'python3' }, { config: { ...config(), command: 'python3' } })
    expect(await values()).toEqual(full.env)
    await change(
      { args: ['/new/path/to/server.py'] },
      { config: { ...config(), args: ['/new/path/to/server.py'] } },
    )
    await change({ args: [] }, { config: { ...config(), args: [] } })
    await change({ description: 'Updated description' }, { description: 'Updated description' })
    await change({ description: '' }, { description: '' })
    await change({ tools: { one: {} } }, { tools: { one: {} } })
    await change({ tools: {} }, { tools: {} })
    expect(await values()).toEqual(full.env)
    const env = { env: { NEW: '***' }, env_fingerprints: { NEW: expect.stringMatching(/^fp_/) } }
    await change({ env: { NEW: 'another' } }, { config: { ...config(), ...env } })
    expect(await values()).toEqual({ NEW: 'another' })
    await change({ env: {} }, { config: { ...config(), env: {}, env_fingerprints: {} } })
    expect(await values()).toEqual({})
    await change(
      { server_command: 'npx', args: ['a'], env: { A: 'b' }, tools: { t: {} }, description: 'all' },
      {
        config: {
          command: 'npx',
          args: ['a'],
          env: { A: '***' },
          env_fingerprints: { A: expect.any(String) },
        },
        tools: { t: {} },
        description: 'all',
      },
    )
    const before = await contents(world.beside, ['servers'])
    const bad: object[] = [
      {},
      { server_command: '' },
      { server_command: null },
      { args: null },
      { args: ['a', 7] },
      { env: { A: 7 } },
      { tools: [] },
      { description: null },
      { server_name: 'other' },
      { input_guardrails_policy: {} },
    ]
    for (const body of bad) expect([body, refused(await put(server_id, body))[0]]).toEqual([body, 400])
    expect(await contents(world.beside, ['servers'])).toBe(before)
  })

  it(`${verifies('enkrypt:servers:update:unknown')} a server that is not there is 404 on every route`, async () => {
    const elsewhere = await world.server((await world.config()).config_id, { server_name: 'elsewhere' })
    const alone = (await world.op('create_server', { name: 'alone' }))['server'].id
    const deleted = await world.server(c)
    await made(world.admin(`DELETE /configs/${c}/servers/${deleted.server_id}`))
    const names = [
      none.s,
      'no-such-server',
      elsewhere.server_id,
      'elsewhere',
      alone,
      'alone',
      deleted.server_id,
    ]
    const before = await contents(world.beside, ['servers'])
    for (const s of names) {
      for (const row of table.filter(({ line }) => line.includes('/servers/{s}'))) {
        const ids = { ...none, c, s }
        const refusal = refused(await world.admin(filled(row.line, ids), bodyOf(row, ids)))
        expect([row.line, s, ...refusal]).toEqual([row.line, s, 404, 'Server not found'])
      }
    }
    expect(await contents(world.beside, ['servers'])).toBe(before)
  })

  it(`${verifies('enkrypt:servers:remove:ok')} R16: tokens set to a removed server lose it and gain nothing; a second DELETE is 404`, async () => {
    const [one, two] = [await world.server(c), await world.server(c)]
    const only = await makeToken(world.beside, { access: { servers: [one.server_id] } })
    const both = await makeToken(world.beside, { access: { servers: [one.server_id, two.server_id] } })
    const opens = async (token: string, server: string) =>
      (await world.op('validate_token', { token, server }))['verdict']
    expect(await opens(only.secret, one.server_id)).toBe('valid')
    const { json } = await play(world.running, world.beside, {
      it: 'remove',
      as: world.keys.admin,
      send: [lineOf(`DELETE /configs/${c}/servers/${one.server_id}`)],
      status: 200,
      audits: [{ action: 'remove_config_server', target_id: one.server_id, outcome: 'ok' }],
    })
    expect(json).toEqual({ message: 'Server removed successfully', data: null })
    expect(refused(await world.admin(`DELETE /configs/${c}/servers/${one.server_id}`))).toEqual([
      404,
      'Server not found',
    ])
    const { token } = await world.op('get_token', { token_id: only.id })
    expect(token.access).toMatchObject({ all_servers: false, servers: [] })
    for (const { server_id } of [one, two]) expect(await opens(only.secret, server_id)).not.toBe('valid')
    expect(await opens(both.secret, two.server_id)).toBe('valid')
    expect(await get(two.server_id)).toMatchObject({ server_id: two.server_id })
  })

  it(`${verifies('enkrypt:servers:remove-all:ok')} removes all servers of the configuration and of no other, also when there are none`, async () => {
    const [a, b] = [(await world.config()).config_id, (await world.config()).config_id]
    const servers = [await world.server(a), await world.server(a), await world.server(a)]
    await world.server(b)
    for (const removed of [3, 0, 0]) {
      const { json } = await play(world.running, world.beside, {
        it: `remove ${removed}`,
        as: world.keys.admin,
        send: [lineOf(`DELETE /configs/${a}/servers`)],
        status: 200,
        audits: [{ action: 'remove_config_servers', target_id: a, outcome: 'ok' }],
      })
      expect(json).toEqual({ message: 'All servers removed successfully', data: { removed } })
      expect(await listed(a)).toEqual([])
    }
    expect(await listed(b)).toHaveLength(1)
    for (const { server_id } of servers) {
      expect((await world.op('get_server', { server_id }))['server'].deleted_at).not.toBeNull()
    }
  })

  it(`${verifies('enkrypt:servers:update:member-present')} R37: a remote server that our own routes made keeps address and headers, and becomes a program by its command alone`, async () => {
    const config = (await world.config()).config_id
    const headers = { Authorization: 'Bearer hidden value' }
    const runs = { url: 'https://example.com/mcp', headers }
    await world.op('add_config_server', { config_id: config, name: 'remote', runs })
    const exported = async () =>
      (await made(world.admin(`POST /configs/${config}/export`, { include_secrets: true })))['config']
        .mcp_config[0]
    const remote = `/configs/${config}/servers/remote`
    const changed = await world.admin(`PUT ${remote}`, { description: 'far away', tools: { t: {} } })
    expect([changed.status, changed.text]).toEqual([200, expect.not.stringContaining('hidden')])
    expect((await exported()).config).toEqual(runs)
    for (const body of [{ args: ['x'] }, { env: { A: 'b' } }]) {
      expect(refused(await world.admin(`PUT ${remote}`, body))[0]).toBe(409)
    }
    expect((await exported()).config).toEqual(runs)
    await made(world.admin(`PUT ${remote}`, { server_command: 'npx' }))
    expect((await exported()).config).toEqual({ command: 'npx', args: [], env: {} })
  })

  it('R34: a command is stored by admins only, word by word, on record with the whole argv, and runs nothing', async () => {
    const canary = join(world.running.place.dataDir, 'canary')
    const args = ['-c', `touch ${canary}; echo $(touch ${canary}) \`touch ${canary}\``]
    const body = {
      server_name: 'canary',
      server_command: `sh -c "touch ${canary}"`,
      args,
      env: { A: 'hidden' },
    }
    const data = {
      config: { mcp_config: [{ server_name: 'canary', config: { command: 'sh', args } }] },
    }
    const config = (await world.config()).config_id
    const stores = (): [string, object][] => [
      [`POST /configs/${config}/servers`, body],
      [`PUT /configs/${config}/servers/canary`, { server_command: 'sh', args }],
      ['POST /configs/import', { config_name: world.fresh('Canary'), data }],
      ['POST /configs/copy', { source_config: config, target_config: world.fresh('Canary') }],
    ]
    for (const as of [world.operator, world.reader]) {
      for (const [line, body] of stores())
        expect([line, refused(await as(line, body))[0]]).toEqual([line, 403])
    }
    for (const [line, body] of stores()) {
      const trail = await trailOf(world.beside, async () => {
        expect([line, (await world.admin(line, body)).status < 300]).toEqual([line, true])
      })
      const details = trail.map((row) => row.details).join()
      expect([line, details]).toEqual([line, expect.stringContaining(JSON.stringify(args[1]))])
      expect(details).not.toContain('hidden')
    }
    await made(world.admin(`POST /configs/${config}/validate`))
    await made(world.admin(`POST /configs/${config}/export`, {}))
    expect((await get('canary', config))['config']).toMatchObject({ command: 'sh', args })
    expect(existsSync(canary)).toBe(false)
    for (const name of [
      'LD_PRELOAD',
      'DYLD_INSERT_LIBRARIES',
      'NODE_OPTIONS',
      'PATH',
      'PYTHONPATH',
      'path',
    ]) {
      const env = { [name]: 'x' }
      const refusal = refused(
        await world.admin(`POST /configs/${config}/servers`, { ...body, server_name: 'v', env }),
      )
      expect(refusal).toEqual([400, expect.stringContaining(`env.${name}`)])
    }
  })
})
