import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { export_config } from '../../tools/configs/export_config.ts'
import { get_config } from '../../tools/configs/get_config.ts'
import { import_config } from '../../tools/configs/import_config.ts'
import { list_configs } from '../../tools/configs/list_configs.ts'
import { update_config_server } from '../../tools/configs/update_config_server.ts'
import { update_server } from '../../tools/servers/update_server.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import { contents, plantKey, plantProject, stateTables, trailOf } from '../support/world.ts'

const token = 'ghp_the_value_of_the_variable'
const header = 'Bearer the_value_of_the_header'
const server = { server_name: 's', config: { command: 'npx' } }
const documentOf = (...mcp_config: object[]) => ({ config: { mcp_config } }) as never
const good = { name: 'n', data: documentOf(server) }
const withEnv = (env: object) => ({
  ...good,
  data: documentOf({ ...server, config: { command: 'npx', env } }),
})

describe.each(databases)('exports and imports on $name', (database) => {
  let instance: Instance
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const folder = () => join(instance.place.dataDir, 'exports')
  const fresh = () => {
    made += 1
    return `config ${made}`
  }
  /** A configuration in which every member of a server is set. */
  const whole = async () => {
    const { call } = instance
    const config_id = (await call('admin', create_config, { name: fresh() })).config.id
    const policy = {
      enabled: true,
      policy_name: 'P',
      additional_config: { pii_redaction: false, list: [1, { a: null }] },
      block: ['pii' as const, 'size' as const],
    }
    const added = await call('admin', add_config_server, {
      config_id,
      name: 'Program, "quoted" ü',
      description: 'with\nlines',
      runs: { command: 'npx', args: ['-y', 'a, b', ''], env: { GITHUB_TOKEN: token, EMPTY: '' } },
      tools: { search: { limit: 5 }, 'read file': {} },
      guardrails: { input: policy },
    })
    await call('admin', update_server, { server_id: added.server.id, metadata: { owner: 'team' } })
    await call('admin', add_config_server, {
      config_id,
      name: 'remote',
      runs: { url: 'https://example.com/mcp?x=1', headers: { Authorization: header } },
      guardrails: { output: { ...policy, block: [] } },
    })
    await call('admin', add_config_server, { config_id, name: 'least', runs: { command: 'python' } })
    return config_id
  }
  const shown = async (config_id: string) =>
    (await instance.call('reader', get_config, { config_id })).config.servers.map(
      ({ id, slug, created_at, updated_at, ...kept }) => kept,
    )

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: export_config,
        roles: ['admin'],
        good: { config_id: 'x' },
        bad: [
          {},
          { config_id: 'x', output_file: '' },
          { config_id: 'x', include_secrets: 'true' },
          { config_id: 'x', include_secrets: 1 },
        ],
      },
      {
        operation: import_config,
        roles: ['admin'],
        good,
        bad: [
          { name: 'n' },
          { data: good.data },
          { ...good, input_file: 'x.json' },
          { name: 'n', data: {} },
          { name: 'n', data: [] },
          { name: 'n', data: { config: {} } },
          { name: 'n', data: { config: { mcp_config: {} } } },
          { name: 'n', data: { config: { mcp_config: [] }, more: 1 } },
          { name: 'n', data: documentOf(server, server) },
          { name: 'n', data: documentOf(server, { server_name: 't' }) },
          { name: 'n', data: documentOf({ ...server, server_name: '' }) },
          { name: 'n', data: documentOf({ ...server, config: {} }) },
          {
            name: 'n',
            data: documentOf({ ...server, config: { command: 'x', url: 'https://example.com' } }),
          },
          { name: 'n', data: documentOf({ ...server, tools: [] }) },
          { name: 'n', data: documentOf({ ...server, level: 5 }) },
          { name: 'n', data: documentOf({ ...server, input_guardrails_policy: { block: ['toxicity'] } }) },
          { name: 'n', data: documentOf({ ...server, output_guardrails_policy: null }) },
          withEnv({ A: 1 }),
          withEnv({ A: '***' }),
          withEnv({ A: { $env: 'x' } }),
          withEnv({ A: { $env: 'fp_0mwrz4t4bIl4gYSr', value: 'x' } }),
          withEnv({ LD_PRELOAD: '/tmp/x.so' }),
          withEnv(JSON.parse('{"__proto__":"x"}') as object),
          {
            name: 'n',
            data: documentOf(
              ...Array.from({ length: 1_001 }, (_, n) => ({ ...server, server_name: `s${n}` })),
            ),
          },
        ],
      },
    ],
  )

  it(`${verifies('enkrypt:configs:export:env')} an export names values by fingerprint; include_secrets puts them in, and is on record`, async () => {
    const { call } = instance
    const config_id = await whole()
    const rows = await trailOf(instance, async () => {
      const { document, file } = await call('admin', export_config, { config_id })
      const text = JSON.stringify(document)
      expect([text.includes(token), text.includes(header), text.includes('***')]).toEqual([
        false,
        false,
        false,
      ])
      expect(text).toMatch(/"GITHUB_TOKEN":\{"\$env":"fp_\w{16}"\}/)
      expect(document).toMatchObject({
        mcp_config_id: config_id,
        config: { mcp_config_name: `config ${made}` },
      })
      expect(Object.keys(document)).toEqual(['mcp_config_id', 'exported_at', 'config'])
      expect(file).toBeNull()
    })
    expect(rows).toMatchObject([{ action: 'export_config', target_id: config_id, outcome: 'ok' }])
    expect(rows[0]?.details).toContain('"include_secrets":false')
    const secret = await trailOf(instance, async () => {
      const { document } = await call('admin', export_config, { config_id, include_secrets: true })
      expect(JSON.stringify(document)).toContain(`"GITHUB_TOKEN":"${token}"`)
      expect(JSON.stringify(document)).toContain(`"Authorization":"${header}"`)
    })
    expect(secret).toMatchObject([{ action: 'export_config', target_id: config_id }])
    expect(secret[0]?.details).toContain('"include_secrets":true')
    expect(secret[0]?.details).not.toContain(token)
    expect(existsSync(folder())).toBe(false)
  })

  it('R4, R35: a file of an export is private, has the content of the answer, and replaces an older one', async () => {
    const { call } = instance
    const config_id = await whole()
    mkdirSync(folder(), { recursive: true })
    writeFileSync(join(folder(), 'twice.json'), 'older')
    const { document, file } = await call('admin', export_config, { config_id, output_file: 'twice.json' })
    expect(file).toBe('twice.json')
    expect(JSON.parse(readFileSync(join(folder(), 'twice.json'), 'utf8'))).toEqual(document)
    expect(statSync(join(folder(), 'twice.json')).mode & 0o777).toBe(0o600)
  })

  it.each(['file', 'data'] as const)(
    'R37: a round trip within the instance by %s keeps every member of every server, values included',
    async (way) => {
      const { call } = instance
      const config_id = await whole()
      const before = await shown(config_id)
      const { document } = await call('admin', export_config, { config_id, output_file: 'trip.json' })
      const source = way === 'file' ? { input_file: 'trip.json' } : { data: document as never }
      const rows = await trailOf(instance, async () => {
        const { config, missing_env } = await call('admin', import_config, { name: fresh(), ...source })
        expect(missing_env).toEqual([])
        expect(config.id).not.toBe(config_id)
      })
      const copy = (await call('reader', get_config, { config_id: `config ${made}` })).config
      expect(await shown(copy.id)).toEqual(before)
      expect(before).toHaveLength(3)
      expect(rows.map((row) => [row.action, row.target_id])).toEqual([
        ['import_config', copy.id],
        ...copy.servers.map((one) => ['add_config_server', one.id]),
      ])
      const open = { config_id: copy.id, include_secrets: true }
      const { document: again } = await call('admin', export_config, open)
      expect(JSON.stringify(again)).toContain(`"GITHUB_TOKEN":"${token}"`)
      expect(JSON.stringify(again)).toContain('"metadata":{"owner":"team"}')
    },
  )

  it(`${verifies('enkrypt:configs:import:env')} references this instance does not hold are left out and listed; a text is the value`, async () => {
    const { call } = instance
    const config_id = await whole()
    const { document } = await call('admin', export_config, { config_id })
    const other = await openInstance(database)
    try {
      const { config, missing_env } = await other.call('admin', import_config, {
        name: 'elsewhere',
        data: document as never,
      })
      expect(missing_env).toEqual([
        { server_name: 'Program, "quoted" ü', variable: 'GITHUB_TOKEN' },
        { server_name: 'Program, "quoted" ü', variable: 'EMPTY' },
        { server_name: 'remote', variable: 'Authorization' },
      ])
      expect(config.servers.map((one) => [one.env, one.headers])).toEqual(Array(3).fill([{}, {}]))
      const open = await call('admin', export_config, { config_id, include_secrets: true })
      const filled = await other.call('admin', import_config, {
        name: 'filled',
        data: open.document as never,
      })
      expect(filled.missing_env).toEqual([])
      expect(filled.config.servers[0]?.env).toEqual({ GITHUB_TOKEN: '***', EMPTY: '***' })
      const told = await other.call('admin', import_config, { name: 'again', data: document as never })
      // The key of the fingerprints is another one there, so they say nothing.
      expect(told.missing_env).toHaveLength(3)
    } finally {
      await other.close()
    }
  })

  it('R37: a reference to a variable is none to a header, and a value that is gone is missing', async () => {
    const { call } = instance
    const config_id = await whole()
    const [program] = (await call('reader', get_config, { config_id })).config.servers
    const $env = program?.env_fingerprints['GITHUB_TOKEN'] ?? ''
    const remote = {
      server_name: 'r',
      config: { url: 'https://attacker.example', headers: { GITHUB_TOKEN: { $env } } },
    }
    const asked = await call('admin', import_config, { name: fresh(), data: documentOf(remote) })
    expect(asked.missing_env).toEqual([{ server_name: 'r', variable: 'GITHUB_TOKEN' }])
    expect(asked.config.servers[0]?.headers).toEqual({})
    const renamed = { server_name: 's', config: { command: 'npx', env: { OTHER: { $env } } } }
    const moved = await call('admin', import_config, { name: fresh(), data: documentOf(renamed) })
    expect(moved.missing_env).toEqual([{ server_name: 's', variable: 'OTHER' }])
    for (const { id } of (await call('reader', list_configs, { limit: 100 })).configs) {
      for (const one of (await call('reader', get_config, { config_id: id })).config.servers) {
        if (one.command === null) continue
        const gone = { config_id: id, server_id: one.id, runs: { env: {} } }
        await call('admin', update_config_server, gone)
      }
    }
    const late = { server_name: 's', config: { command: 'npx', env: { GITHUB_TOKEN: { $env } } } }
    const { missing_env } = await call('admin', import_config, { name: fresh(), data: documentOf(late) })
    expect(missing_env).toEqual([{ server_name: 's', variable: 'GITHUB_TOKEN' }])
  })

  it('takes the least that says a server, and what answers show beside it', async () => {
    const fine = {
      mcp_config_id: 'cfg_0mwrz4t4bIl4gYSrqYqiG0',
      config: {
        mcp_config_name: 'another name',
        mcp_config: [{ server_name: 's', config: { command: 'npx', env: {}, env_fingerprints: {} } }],
      },
    }
    const { config } = await instance.call('admin', import_config, { name: fresh(), data: fine as never })
    expect(config.name).toBe(`config ${made}`)
    expect(config.servers).toMatchObject([{ name: 's', args: [], tools: {}, description: '' }])
    const empty = await instance.call('admin', import_config, { name: fresh(), data: documentOf() })
    expect(empty).toMatchObject({ config: { servers: [] }, missing_env: [] })
  })

  it('R20: one wrong member anywhere, in a file too, makes nothing, and is named by its place', async () => {
    const { call } = instance
    mkdirSync(folder(), { recursive: true })
    const files: Record<string, unknown> = {
      'names.json': documentOf(server, {
        ...server,
        server_name: 't',
        input_guardrails_policy: { block: ['x'] },
      }),
      'masked.json': withEnv({ OK: 'x', MASKED: '***' }).data,
      'loader.json': withEnv({ LD_PRELOAD: '/tmp/canary.so' }).data,
      'list.json': [],
    }
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(folder(), name), JSON.stringify(content))
    writeFileSync(join(folder(), 'broken.json'), '{"config":')
    const before = await contents(instance, stateTables)
    const told: unknown[] = []
    for (const input_file of [...Object.keys(files), 'broken.json', 'missing.json']) {
      const { code, field } = await refusalError(call('admin', import_config, { name: 'none', input_file }))
      told.push([code, field])
    }
    const place = 'input_file.config.mcp_config'
    expect(told).toEqual([
      ['invalid_input', `${place}.1.input_guardrails_policy.block.0`],
      ['invalid_input', `${place}.0.config.env.MASKED`],
      ['invalid_input', `${place}.0.config.env.LD_PRELOAD`],
      ['invalid_input', 'input_file'],
      ['invalid_input', 'input_file'],
      ['not_found', 'input_file'],
    ])
    expect(await contents(instance, stateTables)).toBe(before)
  })

  it('refuses a name that is taken and a configuration that is not there, and writes no file', async () => {
    const { call } = instance
    const name = fresh()
    await call('admin', create_config, { name })
    expect(await refusalError(call('admin', import_config, { name, data: good.data }))).toMatchObject({
      code: 'conflict',
      reason: 'name_taken',
    })
    const lost = { config_id: 'cfg_none', output_file: 'lost.json' }
    expect(await refusalError(call('admin', export_config, lost))).toMatchObject({
      code: 'not_found',
      entity: 'configuration',
    })
    expect(existsSync(join(folder(), 'lost.json'))).toBe(false)
  })

  it('R35: no name leads out of the folder, for reading or for writing', async () => {
    const { call } = instance
    const config_id = await whole()
    mkdirSync(folder(), { recursive: true })
    const outside = join(instance.place.dataDir, 'outside.json')
    writeFileSync(outside, JSON.stringify(good.data))
    symlinkSync(outside, join(folder(), `link${made}.json`))
    const names = ['../x', '/etc/passwd', 'a/b', 'a\\b', '.', '..', '%2e%2e', 'a\u0000', '', 'x'.repeat(65)]
    const before = readdirSync(instance.place.dataDir).filter((name) => !name.startsWith('tokenwright.db'))
    for (const name of names) {
      const calls = [
        call('admin', export_config, { config_id, output_file: name }),
        call('admin', import_config, { name: 'led out', input_file: name }),
      ]
      expect([name, ...(await Promise.all(calls.map(refusal)))]).toEqual([
        name,
        ...Array(2).fill('invalid_input'),
      ])
    }
    expect(readdirSync(instance.place.dataDir).filter((name) => !name.startsWith('tokenwright.db'))).toEqual(
      before,
    )
    const link = `link${made}.json`
    expect(await refusal(call('admin', import_config, { name: 'linked', input_file: link }))).toBe(
      'invalid_input',
    )
    await call('admin', export_config, { config_id, output_file: link })
    expect(readFileSync(outside, 'utf8')).toBe(JSON.stringify(good.data))
  })

  it('R47: an import repeated with its key answers the same and makes nothing', async () => {
    const input = { name: fresh(), data: good.data, idempotency_key: 'repeated-0123456789' }
    const first = await instance.call('admin', import_config, input)
    expect(await instance.call('admin', import_config, input)).toEqual(first)
  })

  it('R15: a key bound to a project neither exports nor imports, whatever its role', async () => {
    const { call, actor } = instance
    const { project_id, config_id } = await plantProject(instance)
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id })
    const bound = await actor(secret)
    const calls = [call(bound, export_config, { config_id }), call(bound, import_config, good)]
    expect(await Promise.all(calls.map(refusal))).toEqual(['forbidden', 'forbidden'])
  })
})
