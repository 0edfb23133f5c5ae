import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, trailOf } from '../../support/world.ts'
import { play } from '../support.ts'
import { type Data, isoTime, lineOf, made, openWorld, refused, type World } from './support.ts'

const fingerprint = /^fp_[0-9A-Za-z]{16}$/
const hidden = ['value of GITHUB_TOKEN', 'value, with = and "quotes"', 'Bearer value of a header']
const policy = {
  enabled: true,
  policy_name: 'Sample Policy',
  additional_config: { pii_redaction: true, keywords: ['a', 'b'] },
  block: ['policy_violation', 'injection_attack'],
}

describe.each(databases)('copies, exports and imports on $name', (database) => {
  let world: World
  let config_id: string
  let config_name: string
  beforeAll(async () => {
    world = await openWorld(database)
    const made = await world.config('Development Config')
    config_id = made.config_id
    config_name = made.config_name
    await fill(world, config_id)
  })
  afterAll(() => world.close())

  /** A server with everything, one with the least, and a remote one that only our own routes make. */
  async function fill(at: World, c: string): Promise<void> {
    await at.server(c, {
      server_name: 'github_server',
      args: ['-y', 'with, comma', '', '--flag=" "', '$(touch /tmp/canary)'],
      env: { GITHUB_TOKEN: hidden[0], OTHER: hidden[1], EMPTY: '' },
      tools: { search: { description: 'x' }, list: {} },
      description: 'GitHub MCP Server\nof two lines',
      input_guardrails_policy: policy,
      output_guardrails_policy: { enabled: true },
    })
    await at.server(c, { server_name: 'least' })
    await at.op('add_config_server', {
      config_id: c,
      name: 'remote',
      runs: { url: 'https://example.com/mcp', headers: { Authorization: hidden[2] } },
    })
  }

  const get = (c: string) => made(world.reader(`GET /configs/${c}`))
  const exported = (c: string, body: object = {}) => made(world.admin(`POST /configs/${c}/export`, body))
  const values = async (c: string) => {
    const { config } = await exported(c, { include_secrets: true })
    return config.mcp_config.map(({ config: runs }: Data) => runs)
  }
  /** What a configuration is, whoever made it. */
  const essence = (servers: Data[]) =>
    servers.map(({ server_id, server_slug, created_at, updated_at, ...rest }) => rest)
  const file = (name: string) => join(world.running.place.dataDir, 'exports', name)
  const put = (name: string, content: unknown) =>
    writeFileSync(file(name), typeof content === 'string' ? content : JSON.stringify(content))

  it(`${verifies('enkrypt:configs:get:env-masked')} R37: every value reads ***, with a fingerprint for each, and the least server has none of both`, async () => {
    const { mcp_config } = await get(config_id)
    const [full, least, remote] = mcp_config
    expect(full.config).toEqual({
      command: 'npx',
      args: ['-y', 'with, comma', '', '--flag=" "', '$(touch /tmp/canary)'],
      env: { GITHUB_TOKEN: '***', OTHER: '***', EMPTY: '***' },
      env_fingerprints: {
        GITHUB_TOKEN: expect.stringMatching(fingerprint),
        OTHER: expect.stringMatching(fingerprint),
        EMPTY: expect.stringMatching(fingerprint),
      },
    })
    expect(new Set(Object.values(full.config.env_fingerprints)).size).toBe(3)
    const bare = { args: [], env: {}, env_fingerprints: {} }
    expect(least.config).toEqual({ command: 'npx', ...bare })
    expect(remote.config).toEqual({ command: '', ...bare })
    // The same value has the same fingerprint, another one another.
    const twin = await world.config()
    const { server_id } = await world.server(twin.config_id, { env: { GITHUB_TOKEN: hidden[0], OTHER: 'x' } })
    const server = `/configs/${twin.config_id}/servers/${server_id}`
    const shown = await made(world.reader(`GET ${server}`))
    expect(shown['config'].env_fingerprints.GITHUB_TOKEN).toBe(full.config.env_fingerprints.GITHUB_TOKEN)
    expect(shown['config'].env_fingerprints.OTHER).not.toBe(full.config.env_fingerprints.OTHER)
  })

  it(`${verifies('enkrypt:configs:get:env-masked')} R37: no answer to anybody, no file and no row holds a value, but for the export that asks for them`, async () => {
    const { project } = await world.op('create_project', { name: 'Reads' })
    await world.op('assign_config', { project_id: project.id, config_id })
    const { user_id } = await world.user()
    await world.op('add_project_member', { project_id: project.id, user_id })
    const key = await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id: project.id }))
    const server = `/configs/${config_id}/servers/github_server`
    const reads = [
      'GET /configs',
      `GET /configs/${config_id}`,
      `GET /configs/${config_id}/servers`,
      `GET ${server}`,
      `GET /configs/${config_id}/servers/remote`,
      `GET /projects/${project.id}`,
      `GET /projects/${project.id}/config`,
    ]
    const texts: string[] = []
    for (const as of [world.admin, world.operator, world.reader, world.as(key['api_key'])]) {
      for (const line of reads) {
        const { status, text } = await as(line)
        expect([line, status]).toEqual([line, 200])
        texts.push(text)
      }
    }
    const changes: [string, object?][] = [
      [`PUT ${server}`, { description: 'GitHub MCP Server\nof two lines' }],
      [`PUT ${server}`, { env: { GITHUB_TOKEN: hidden[0], OTHER: hidden[1], EMPTY: '' } }],
      [`PUT ${server}/guardrails`, { input_policy: policy }],
      [`POST /configs/${config_id}/validate`],
      [`POST /configs/${config_id}/export`, { output_file: 'masked.json' }],
      [`POST /projects/${project.id}/export`, {}],
      ['POST /configs/copy', { source_config: config_id, target_config: world.fresh('masked') }],
      ['POST /system/backup', {}],
    ]
    for (const [line, body] of changes) {
      const { status, text } = await world.admin(line, body)
      expect([line, status < 300]).toEqual([line, true])
      texts.push(text)
    }
    for (const name of ['get_config', 'get_config_server', 'list_servers', 'list_audit_events'] as const) {
      const input = {
        get_config: { config_id },
        get_config_server: { config_id, server_id: 'github_server' },
        list_servers: {},
        list_audit_events: { limit: 100 },
      }
      texts.push(JSON.stringify(await world.op(name, input[name])))
    }
    texts.push(readFileSync(file('masked.json'), 'utf8'), world.running.log.join('\n'))
    texts.push(await contents(world.beside, ['servers', 'audit']))
    for (const value of hidden) {
      const written = JSON.stringify(value).slice(1, -1)
      const at = texts.findIndex((text) => text.includes(value) || text.includes(written))
      expect([value, at === -1 ? 'nowhere' : texts[at]?.slice(0, 300)]).toEqual([value, 'nowhere'])
    }
    const whole = JSON.stringify(await exported(config_id, { include_secrets: true }))
    for (const value of hidden) expect(whole).toContain(JSON.stringify(value))
    await world.op('unassign_config', { project_id: project.id })
  })

  it(`${verifies('enkrypt:configs:get:env-mask-refused')} R37: *** as a value is refused by the name of the variable, so that a mask read back never becomes the value`, async () => {
    const before = await contents(world.beside, ['configs', 'servers'])
    const env = { GOOD: 'x', GITHUB_TOKEN: '***' }
    const data = { config: { mcp_config: [{ server_name: 's', config: { command: 'x', env } }] } }
    put('masked-import.json', data)
    for (const [line, body] of [
      [`POST /configs/${config_id}/servers`, { server_name: 'm', server_command: 'x', env }],
      [`PUT /configs/${config_id}/servers/github_server`, { env }],
      ['POST /configs/import', { config_name: 'Masked', data }],
      ['POST /configs/import', { config_name: 'Masked', input_file: 'masked-import.json' }],
      // What an answer shows, sent back as it is.
      ['POST /configs/import', { config_name: 'Masked', data: { config: await get(config_id) } }],
    ] as const) {
      const [status, detail] = refused(await world.admin(line, body))
      expect([line, status, detail]).toEqual([line, 400, expect.stringContaining('env.GITHUB_TOKEN')])
      expect(detail).not.toContain('GOOD')
    }
    expect(await contents(world.beside, ['configs', 'servers'])).toBe(before)
  })

  it(`${verifies('enkrypt:configs:copy:ok')} a copy is whole, has ids and slugs of its own, and lives apart`, async () => {
    const target_config = world.fresh('Copy')
    const { json } = await play(world.running, world.beside, {
      it: 'copy',
      as: world.keys.admin,
      send: [lineOf('POST /configs/copy'), { source_config: config_name, target_config }],
      status: 201,
      audits: [
        { action: 'copy_config', outcome: 'ok' },
        { action: 'add_config_server', outcome: 'ok' },
        { action: 'add_config_server', outcome: 'ok' },
        { action: 'add_config_server', outcome: 'ok' },
      ],
    })
    const copy: string = json.data.config_id
    expect(json.data).toEqual({
      config_id: copy,
      config_name: target_config,
      mcp_config_id: copy,
      mcp_config_name: target_config,
    })
    expect(copy).not.toBe(config_id)
    const [source, target] = [await get(config_id), await get(copy)]
    expect(essence(target['mcp_config'])).toEqual(essence(source['mcp_config']))
    expect(await values(copy)).toEqual(await values(config_id))
    for (const name of ['server_id', 'server_slug']) {
      const all = [...source['mcp_config'], ...target['mcp_config']].map((one: Data) => one[name])
      expect(new Set(all).size).toBe(6)
    }
    // A change of one leaves the other alone, in both directions.
    await made(world.admin(`PUT /configs/${copy}/servers/github_server`, { env: { NEW: 'x' }, args: [] }))
    await made(world.admin(`DELETE /configs/${copy}/servers/least`))
    expect(await get(config_id)).toEqual(source)
    const changed = await get(copy)
    const { server_id } = await world.server(config_id, { server_name: 'later' })
    await made(world.admin(`DELETE /configs/${config_id}/servers/${server_id}`))
    expect(await get(copy)).toEqual(changed)
    // The copy outlives what it was made of.
    const second = await made(
      world.admin('POST /configs/copy', { source_config: copy, target_config: world.fresh('Copy') }),
    )
    await made(world.admin(`DELETE /configs/${copy}`))
    expect(essence((await get(second['config_id']))['mcp_config'])).toEqual(essence(changed['mcp_config']))
    expect((await values(second['config_id']))[0].env).toEqual({ NEW: 'x' })
  })

  it(`${verifies('enkrypt:configs:copy:refused')} a source that is not there is 404, a name that is taken 409, and nothing is made`, async () => {
    const before = await contents(world.beside, ['configs', 'servers'])
    for (const source_config of ['cfg_0000000000000000000000', 'no such name', 'x'.repeat(5_000)]) {
      const refusal = refused(
        await world.admin('POST /configs/copy', { source_config, target_config: 'New' }),
      )
      expect(refusal).toEqual([404, 'Configuration not found'])
    }
    for (const target_config of [config_name, ` ${config_name} `]) {
      const refusal = refused(
        await world.admin('POST /configs/copy', { source_config: config_id, target_config }),
      )
      expect(refusal[0]).toBe(409)
    }
    expect(await contents(world.beside, ['configs', 'servers'])).toBe(before)
  })

  it(`${verifies('enkrypt:configs:export:inline')} data is the export; a file has the same content, and without a name none is written`, async () => {
    const files = () => readdirSync(join(world.running.place.dataDir, 'exports')).sort()
    const before = files()
    const data = await exported(config_id)
    expect(files()).toEqual(before)
    expect(Object.keys(data)).toEqual(['mcp_config_id', 'exported_at', 'config'])
    expect(data['mcp_config_id']).toBe(config_id)
    expect(data['exported_at']).toMatch(isoTime)
    expect(Object.keys(data['config'])).toEqual(['mcp_config_name', 'mcp_config', 'created_at', 'updated_at'])
    const { mcp_config } = await get(config_id)
    for (const [at, server] of data['config'].mcp_config.slice(0, 2).entries()) {
      const { config, ...rest } = mcp_config[at]
      const env = Object.entries(config.env_fingerprints).map(([name, print]) => [name, { $env: print }])
      const { command, args } = config
      expect(server).toEqual({ ...rest, config: { command, args, env: Object.fromEntries(env) } })
    }
    const written = await exported(config_id, { output_file: 'config.json' })
    expect(JSON.parse(readFileSync(file('config.json'), 'utf8'))).toEqual(written)
    expect(written['config']).toEqual(data['config'])
    expect(refused(await world.admin('POST /configs/nothing/export', { output_file: 'none.json' }))[0]).toBe(
      404,
    )
    expect(existsSync(file('none.json'))).toBe(false)
  })

  it(`${verifies('enkrypt:configs:export:env')} R37: values are named by fingerprint; include_secrets puts them in, for admins, and is on record`, async () => {
    const [server, , remote] = (await exported(config_id))['config'].mcp_config
    expect(server.config.env).toEqual({
      GITHUB_TOKEN: { $env: expect.stringMatching(fingerprint) },
      OTHER: { $env: expect.stringMatching(fingerprint) },
      EMPTY: { $env: expect.stringMatching(fingerprint) },
    })
    expect(remote.config).toEqual({
      url: 'https://example.com/mcp',
      headers: { Authorization: { $env: expect.stringMatching(fingerprint) } },
    })
    const trail = await trailOf(world.beside, async () => {
      const [clear, , far] = (await exported(config_id, { include_secrets: true }))['config'].mcp_config
      expect(clear.config.env).toEqual({ GITHUB_TOKEN: hidden[0], OTHER: hidden[1], EMPTY: '' })
      expect(far.config.headers).toEqual({ Authorization: hidden[2] })
    })
    expect(trail).toMatchObject([
      { action: 'export_config', outcome: 'ok', target_id: config_id, via: 'enkrypt' },
    ])
    expect(JSON.parse(trail[0]?.details ?? '')).toMatchObject({ include_secrets: true })
    for (const as of [world.operator, world.reader]) {
      const asked = { include_secrets: true, output_file: 'stolen.json' }
      const denied = await trailOf(world.beside, async () => {
        expect(refused(await as(`POST /configs/${config_id}/export`, asked))[0]).toBe(403)
      })
      expect(denied).toMatchObject([{ action: 'export_config', outcome: 'denied' }])
    }
    for (const include_secrets of ['true', 1, null, {}]) {
      const refusal = refused(await world.admin(`POST /configs/${config_id}/export`, { include_secrets }))
      expect(refusal).toEqual([400, expect.stringContaining('include_secrets')])
    }
    expect(existsSync(file('stolen.json'))).toBe(false)
  })

  it.each([
    ['data', false],
    ['data', true],
    ['input_file', false],
    ['input_file', true],
  ] as const)(
    `${verifies('enkrypt:configs:import:ok')} a round trip by %s (secrets inside: %s) keeps every field of every server, values included`,
    async (source, include_secrets) => {
      const data = await exported(config_id, { include_secrets, output_file: 'round.json' })
      const name = world.fresh('Imported')
      const { json } = await play(world.running, world.beside, {
        it: 'import',
        as: world.keys.admin,
        send: [
          lineOf('POST /configs/import'),
          { config_name: ` ${name} `, ...(source === 'data' ? { data } : { input_file: 'round.json' }) },
        ],
        status: 201,
        audits: [
          { action: 'import_config', outcome: 'ok' },
          { action: 'add_config_server' },
          { action: 'add_config_server' },
          { action: 'add_config_server' },
        ],
      })
      const id = json.data.config_id
      expect(json.data).toEqual({
        config_id: id,
        config_name: name,
        mcp_config_id: id,
        mcp_config_name: name,
        missing_env: [],
      })
      const [before, after] = [await get(config_id), await get(id)]
      expect(essence(after['mcp_config'])).toEqual(essence(before['mcp_config']))
      expect(await values(id)).toEqual(await values(config_id))
      const ids = (servers: Data[]) =>
        servers.flatMap(({ server_id, server_slug }) => [server_id, server_slug])
      const own = ids(after['mcp_config'])
      expect(ids(before['mcp_config']).filter((one) => own.includes(one))).toEqual([])
      // And once more, from what was imported.
      const again = await made(
        world.admin('POST /configs/import', {
          config_name: world.fresh('Imported'),
          data: await exported(id),
        }),
      )
      expect(essence((await get(again['config_id']))['mcp_config'])).toEqual(essence(before['mcp_config']))
      expect(await values(again['config_id'])).toEqual(await values(config_id))
    },
  )

  it(`${verifies('enkrypt:configs:import:ok')} the least that says a server is enough, and exactly one source is given`, async () => {
    const data = { config: { mcp_config: [{ server_name: 's', config: { command: 'npx' } }] } }
    const { config_id: id } = await made(world.admin('POST /configs/import', { config_name: 'Least', data }))
    expect((await get(id))['mcp_config']).toMatchObject([
      { server_name: 's', description: '', config: { command: 'npx', args: [], env: {} }, tools: {} },
    ])
    put('least.json', data)
    for (const sources of [{}, { data, input_file: 'least.json' }]) {
      const body = { config_name: 'Sources', ...sources }
      expect(refused(await world.admin('POST /configs/import', body))).toEqual([
        400,
        expect.stringMatching(/data, input_file/),
      ])
    }
    expect((await world.admin('GET /configs/Sources')).status).toBe(404)
  })

  it(`${verifies('enkrypt:configs:import:env')} what this instance does not hold is left out and listed; a text is the value`, async () => {
    const elsewhere = await openWorld(database)
    const data = await exported(config_id)
    data['config'].mcp_config[0].config.env.PLAIN = 'a text is the value'
    const imported = await made(elsewhere.admin('POST /configs/import', { config_name: 'Here', data }))
    expect(imported['missing_env']).toEqual([
      { server_name: 'github_server', variable: 'GITHUB_TOKEN' },
      { server_name: 'github_server', variable: 'OTHER' },
      { server_name: 'github_server', variable: 'EMPTY' },
      { server_name: 'remote', variable: 'Authorization' },
    ])
    const { config } = await made(
      elsewhere.admin(`POST /configs/${imported['config_id']}/export`, { include_secrets: true }),
    )
    expect(config.mcp_config[0].config.env).toEqual({ PLAIN: 'a text is the value' })
    expect(config.mcp_config[2].config.headers).toEqual({})
    await elsewhere.close()
  })

  it(`${verifies('enkrypt:configs:import:env')} R37: a fingerprint brings a value back under its own name only, and none that is gone`, async () => {
    const own = await world.config()
    const { server_id } = await world.server(own.config_id, { env: { MINE: 'only here' } })
    const data = await exported(own.config_id)
    const print = data['config'].mcp_config[0].config.env.MINE
    const ask = (env: object) =>
      made(
        world.admin('POST /configs/import', {
          config_name: world.fresh('Led'),
          data: { config: { mcp_config: [{ server_name: 's', config: { command: 'x', env } }] } },
        }),
      )
    const led = await ask({ THEIRS: print, MINE: print, ODD: { $env: 'fp_0000000000000000' } })
    expect(led['missing_env']).toEqual([
      { server_name: 's', variable: 'THEIRS' },
      { server_name: 's', variable: 'ODD' },
    ])
    expect((await values(led['config_id']))[0].env).toEqual({ MINE: 'only here' })
    await made(world.admin(`DELETE /configs/${led['config_id']}`))
    await made(world.admin(`DELETE /configs/${own.config_id}/servers/${server_id}`))
    expect((await ask({ MINE: print }))['missing_env']).toEqual([{ server_name: 's', variable: 'MINE' }])
  })

  it(`${verifies('enkrypt:configs:import:refused')} a taken name is 409, a missing file 404, and what is no export 400; nothing is made`, async () => {
    const data = await exported(config_id)
    const before = await contents(world.beside, ['configs', 'servers'])
    expect(refused(await world.admin('POST /configs/import', { config_name, data }))[0]).toBe(409)
    const missing = { config_name: 'New', input_file: 'missing.json' }
    expect(refused(await world.admin('POST /configs/import', missing))[0]).toBe(404)
    const good = data['config'].mcp_config[0]
    const one = (server: object) => ({
      config: { mcp_config: [good, { ...good, server_name: 'two', ...server }] },
    })
    const bad: unknown[] = [
      {},
      [],
      'text',
      { config: {} },
      { config: { mcp_config: {} } },
      { config: { mcp_config: [{}] } },
      { backup_version: 1 },
      one({ server_name: 'github_server' }),
      one({ server_name: '' }),
      one({ server_name: 'mgsr_0123456789abcdefghijAB' }),
      one({ config: {} }),
      one({ config: { command: '' } }),
      one({ config: { command: 'x', args: '-y' } }),
      one({ config: { command: 'x', env: { A: 7 } } }),
      one({ config: { command: 'x', env: { A: { $env: 'nothing' } } } }),
      one({ config: { command: 'x', env: { LD_PRELOAD: 'x' } } }),
      one({ tools: [] }),
      one({ description: 'a\u0000b' }),
      one({ input_guardrails_policy: { block: ['nothing'] } }),
      one({ output_guardrails_policy: { enabled: 'yes' } }),
      one({ surplus: 1 }),
    ]
    for (const content of bad) {
      put('bad.json', content)
      for (const source of [{ data: content }, { input_file: 'bad.json' }]) {
        const refusal = refused(await world.admin('POST /configs/import', { config_name: 'New', ...source }))
        expect([content, ...refusal]).toEqual([content, 400, expect.stringMatching(/data|input_file|file/)])
      }
    }
    for (const text of ['', '{', 'no json', '\u0000', '[[[[']) {
      put('bad.json', text)
      const body = { config_name: 'New', input_file: 'bad.json' }
      expect(refused(await world.admin('POST /configs/import', body))[0]).toBe(400)
    }
    expect(await contents(world.beside, ['configs', 'servers'])).toBe(before)
  })
})
