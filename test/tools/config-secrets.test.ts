import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditRow } from '../../db/schema.ts'
import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { copy_config } from '../../tools/configs/copy_config.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { export_config } from '../../tools/configs/export_config.ts'
import { get_config } from '../../tools/configs/get_config.ts'
import { get_config_server } from '../../tools/configs/get_config_server.ts'
import { get_project_config } from '../../tools/configs/get_project_config.ts'
import { import_config } from '../../tools/configs/import_config.ts'
import { list_configs } from '../../tools/configs/list_configs.ts'
import { update_config_server } from '../../tools/configs/update_config_server.ts'
import { validate_config } from '../../tools/configs/validate_config.ts'
import { assign_config } from '../../tools/projects/assign_config.ts'
import { export_project } from '../../tools/projects/export_project.ts'
import { get_server } from '../../tools/servers/get_server.ts'
import { list_servers } from '../../tools/servers/list_servers.ts'
import { create_backup } from '../../tools/system/create_backup.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { contents, headSeq, leak, plantKey, plantProject, trailAfter, trailOf } from '../support/world.ts'

const value = 'ghp_ValueOfTheVariableThatNobodyIsShown'
const header = 'Bearer ValueOfTheHeaderThatNobodyIsShown'
const hidden = [value, header]

describe.each(databases)('what servers of configurations keep, on $name', (database) => {
  let instance: Instance
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const config = async () => {
    made += 1
    return (await instance.call('admin', create_config, { name: `config ${made}` })).config.id
  }
  const add = async (config_id: string, name: string, runs: object) =>
    (await instance.call('admin', add_config_server, { config_id, name, runs } as never)).server
  const withValues = async () => {
    const config_id = await config()
    const program = await add(config_id, 'program', { command: 'npx', env: { GITHUB_TOKEN: value } })
    const headers = { Authorization: header }
    const remote = await add(config_id, 'remote', { url: 'https://example.com/', headers })
    return { config_id, program, remote }
  }
  const argvs = (rows: AuditRow[]) =>
    rows
      .map((row) => (JSON.parse(row.details) as { argv?: string[] }).argv)
      .filter((argv) => argv !== undefined)

  it('R37: no answer of any operation shows a value to anybody, and none is in trail, log or store', async () => {
    const { call, core, place, log } = instance
    const before = await headSeq(instance)
    const { config_id, program, remote } = await withValues()
    const project = await plantProject(instance)
    const { project_id } = project
    await call('admin', assign_config, { project_id, config_id })
    const { secret } = await plantKey(instance, 'user_key', { owner_id: project.user_id, project_id })
    const answers: unknown[] = [program, remote]
    for (const as of ['admin', 'operator', 'reader', await instance.actor(secret)] as const) {
      answers.push(
        await call(as, get_config, { config_id }),
        await call(as, get_config_server, { config_id, server_id: program.id }),
        await call(as, get_project_config, { project_id }),
        await call(as, list_configs, {}),
        await call(as, get_server, { server_id: program.id }),
        await call(as, list_servers, {}),
      )
    }
    const server_id = program.id
    const runs = { env: { GITHUB_TOKEN: value, MORE: value } }
    answers.push(
      await call('admin', update_config_server, { config_id, server_id, runs }),
      await call('admin', copy_config, { config_id, name: `copy ${made}` }),
      await call('admin', export_config, { config_id, output_file: 'without.json' }),
      await call('admin', export_project, { project_id }),
      await call('reader', validate_config, { config_id }),
      await call('admin', create_backup, {}),
      await trailAfter(instance, before),
      await contents(instance, ['servers', 'configs', 'audit', 'idempotency']),
      log.join(''),
      readFileSync(join(place.dataDir, 'exports', 'without.json'), 'utf8'),
    )
    const text = Buffer.from(JSON.stringify(answers))
    expect(hidden.map((one) => leak(text, one))).toEqual([-1, -1])
    expect(text.includes('"GITHUB_TOKEN":"***"')).toBe(true)
    if (database.name === 'postgres') return
    await core.uses.flush()
    for (const file of readdirSync(place.dataDir).filter((name) => name.startsWith('tokenwright.db'))) {
      const bytes = readFileSync(join(place.dataDir, file))
      expect(hidden.map((one) => leak(bytes, one))).toEqual([-1, -1])
    }
  })

  it('R37: fingerprints tell the same value from another one, in any configuration', async () => {
    const { config_id, program } = await withValues()
    const again = await add(config_id, 'again', { command: 'x', env: { GITHUB_TOKEN: value, OTHER: value } })
    const other = await add(await config(), 'other', { command: 'x', env: { GITHUB_TOKEN: `${value}!` } })
    const print = program.env_fingerprints['GITHUB_TOKEN']
    expect(print).toMatch(/^fp_[0-9A-Za-z]{16}$/)
    expect(again.env_fingerprints['GITHUB_TOKEN']).toBe(print)
    expect(again.env_fingerprints['OTHER']).not.toBe(print)
    expect(other.env_fingerprints['GITHUB_TOKEN']).not.toBe(print)
  })

  it('R37: values that were moved to another row, or to the other side, do not open, and can be set again', async () => {
    const { call, core } = instance
    const { config_id, program, remote } = await withValues()
    const second = await add(config_id, 'second', { command: 'x', env: { GITHUB_TOKEN: 'another' } })
    const sealed = async (id: string) =>
      core.store.read.selectFrom('servers').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
    const write = (id: string, columns: { env?: Buffer | null; headers?: Buffer | null }) =>
      core.store.write(async (db) => {
        await db.updateTable('servers').set(columns).where('id', '=', id).execute()
      })
    const [a, b, c] = [await sealed(program.id), await sealed(second.id), await sealed(remote.id)]
    await write(program.id, { env: b.env })
    await write(second.id, { env: a.env })
    await write(remote.id, { env: c.headers, headers: null })
    for (const { id: server_id } of [program, second, remote]) {
      const error = await refusalError(call('reader', get_config_server, { config_id, server_id }))
      expect(error).toMatchObject({ code: 'conflict', reason: 'unreadable', id: server_id })
    }
    const blocked = [
      call('reader', get_config, { config_id }),
      call('admin', copy_config, { config_id, name: 'none of it' }),
      call('admin', export_config, { config_id, include_secrets: true }),
    ]
    expect(await Promise.all(blocked.map(refusal))).toEqual(Array(3).fill('conflict'))
    expect((await call('reader', validate_config, { config_id })).issues).toEqual([
      `Server ${program.slug} has variables that cannot be opened.`,
      `Server ${remote.slug} has variables that cannot be opened.`,
      `Server ${second.slug} has variables that cannot be opened.`,
    ])
    for (const { id: server_id } of [program, second]) {
      const runs = { env: { GITHUB_TOKEN: 'new' } }
      await call('admin', update_config_server, { config_id, server_id, runs })
    }
    const runs = { url: 'https://example.com/', headers: { A: 'b' } }
    await call('admin', update_config_server, { config_id, server_id: remote.id, runs })
    expect((await call('reader', validate_config, { config_id })).valid).toBe(true)
    expect((await call('reader', get_config, { config_id })).config.servers).toHaveLength(3)
  })

  it('R37: the mask of a value never becomes the value, and the refusal names the variable', async () => {
    const { call } = instance
    const { config_id, program, remote } = await withValues()
    const env = { GITHUB_TOKEN: 'x', MASKED: '***' }
    const headers = { Authorization: '***' }
    const before = await call('reader', get_config, { config_id })
    const calls = [
      call('admin', add_config_server, { config_id, name: 'n', runs: { command: 'x', env } }),
      call('admin', update_config_server, { config_id, server_id: program.id, runs: { env } }),
      call('admin', update_config_server, { config_id, server_id: remote.id, runs: { headers } }),
    ]
    const errors = await Promise.all(calls.map(refusalError))
    expect(errors.map(({ code, field }) => [code, field])).toEqual([
      ['invalid_input', 'runs.env.MASKED'],
      ['invalid_input', 'runs.env.MASKED'],
      ['invalid_input', 'runs.headers.Authorization'],
    ])
    expect(errors[0]?.message).toContain('MASKED')
    expect(await call('reader', get_config, { config_id })).toEqual(before)
  })

  it('R34: variables that decide which code is loaded are refused by name, wherever one is set', async () => {
    const { call } = instance
    const config_id = await config()
    const { id: server_id } = await add(config_id, 's', { command: 'npx' })
    const names = [
      'LD_PRELOAD',
      'DYLD_INSERT_LIBRARIES',
      'NODE_OPTIONS',
      'PATH',
      'PYTHONPATH',
      'TOKENWRIGHT_SECRET',
    ]
    for (const variable of names) {
      const env = { GOOD: 'x', [variable]: 'x' }
      const data = { config: { mcp_config: [{ server_name: 's', config: { command: 'x', env } }] } } as never
      const calls = [
        call('admin', add_config_server, { config_id, name: 'n', runs: { command: 'x', env } }),
        call('admin', update_config_server, { config_id, server_id, runs: { env } }),
        call('admin', import_config, { name: 'n', data }),
      ]
      const errors = await Promise.all(calls.map(refusalError))
      expect(errors.map(({ code, field }) => [code, field])).toEqual([
        ['invalid_input', `runs.env.${variable}`],
        ['invalid_input', `runs.env.${variable}`],
        ['invalid_input', `data.config.mcp_config.0.config.env.${variable}`],
      ])
    }
    expect((await call('reader', get_config, { config_id })).config.servers[0]?.env).toEqual({})
  })

  it('R34: whoever is no admin stores no command, through whatever operation', async () => {
    const { call, actor } = instance
    const config_id = await config()
    const { id: server_id } = await add(config_id, 's', { command: 'npx' })
    const data = { config: { mcp_config: [{ server_name: 's', config: { command: 'x' } }] } } as never
    const operator = await actor((await plantKey(instance, 'management', { role: 'operator' })).secret)
    for (const as of ['operator', 'reader', 'validator', operator] as const) {
      const calls = [
        call(as, add_config_server, { config_id, name: 'n', runs: { command: 'x' } }),
        call(as, update_config_server, { config_id, server_id, runs: { command: 'x' } }),
        call(as, copy_config, { config_id, name: 'n' }),
        call(as, import_config, { name: 'n', data }),
        call(as, export_config, { config_id, include_secrets: true }),
      ]
      expect(await Promise.all(calls.map(refusal))).toEqual(Array(5).fill('forbidden'))
    }
    expect([export_config.faces, import_config.faces, export_project.faces].flat()).not.toContain('mcp')
  })

  it('R34: each change of what a server runs is on record with the whole argv and the names of its variables', async () => {
    const { call } = instance
    const config_id = await config()
    const args = ['-c', 'echo "a b"; $(id) `id` && x | y', '', 'ü\nz']
    const rows = await trailOf(instance, async () => {
      const env = { GITHUB_TOKEN: value }
      const { id: server_id } = await add(config_id, 's', { command: '/bin/sh', args, env })
      await call('admin', update_config_server, { config_id, server_id, runs: { command: 'bash' } })
      await call('admin', update_config_server, { config_id, server_id, runs: { args: [] } })
      await call('admin', copy_config, { config_id, name: `copy ${made}` })
      const { document } = await call('admin', export_config, { config_id })
      await call('admin', import_config, { name: `import ${made}`, data: document as never })
      await add(config_id, 'remote', { url: 'https://example.com/', headers: { Authorization: header } })
    })
    expect(argvs(rows)).toEqual([['/bin/sh', ...args], ['bash', ...args], ['bash'], ['bash'], ['bash']])
    expect(rows[0]?.details).toContain('"env":["GITHUB_TOKEN"]')
    expect(rows.at(-1)?.details).toContain('"url":"https://example.com/","headers":["Authorization"]')
    const text = Buffer.from(JSON.stringify(rows))
    expect(hidden.map((one) => leak(text, one))).toEqual([-1, -1])
  })

  it('R34: storing, validating, exporting, copying and importing run nothing', async () => {
    const { call, place } = instance
    const config_id = await config()
    const canary = join(place.dataDir, 'canary')
    await add(config_id, 'touch', { command: 'touch', args: [canary] })
    await add(config_id, 'shell', { command: `touch ${canary}; $(touch ${canary}) \`touch ${canary}\`` })
    await call('reader', validate_config, { config_id })
    await call('admin', copy_config, { config_id, name: `copy ${made}` })
    const { document } = await call('admin', export_config, { config_id, output_file: 'canary.json' })
    await call('admin', import_config, { name: `import ${made}`, input_file: 'canary.json' })
    expect(JSON.stringify(document)).toContain(canary)
    const shown = (await call('reader', get_config, { config_id: `import ${made}` })).config.servers
    expect(shown[1]?.command).toBe(`touch ${canary}; $(touch ${canary}) \`touch ${canary}\``)
    expect(existsSync(canary)).toBe(false)
  })
})
