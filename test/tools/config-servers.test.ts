import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { copy_config } from '../../tools/configs/copy_config.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { get_config } from '../../tools/configs/get_config.ts'
import { get_config_server } from '../../tools/configs/get_config_server.ts'
import { import_config } from '../../tools/configs/import_config.ts'
import { remove_config_server } from '../../tools/configs/remove_config_server.ts'
import { remove_config_servers } from '../../tools/configs/remove_config_servers.ts'
import { update_config_server } from '../../tools/configs/update_config_server.ts'
import { validate_config } from '../../tools/configs/validate_config.ts'
import { delete_server } from '../../tools/servers/delete_server.ts'
import { get_server } from '../../tools/servers/get_server.ts'
import { list_servers } from '../../tools/servers/list_servers.ts'
import { update_server } from '../../tools/servers/update_server.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import { makeToken, plantKey, plantProject, plantServer, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const writers = ['admin'] as const
const one = { config_id: 'x', server_id: 'y' }
const good = { config_id: 'x', name: 's', runs: { command: 'npx' } }
const runs = {
  command: 'npx',
  args: ['-y', 'a server, with; $(blanks) `and` more', ''],
  env: { GITHUB_TOKEN: 'ghp_value_of_the_variable', EMPTY: '' },
}
const off = { enabled: false, policy_name: '', additional_config: {}, block: [] }

describe.each(databases)('servers of configurations on $name', (database) => {
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
  const add = async (config_id: string, more: object = {}) => {
    const input = { config_id, name: 'github_server', runs, ...more }
    return (await instance.call('admin', add_config_server, input)).server
  }

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: add_config_server,
        roles: writers,
        good,
        bad: [
          { config_id: 'x', name: 's' },
          { ...good, name: '' },
          { ...good, runs: {} },
          { ...good, runs: { command: '' } },
          { ...good, runs: { command: ' ' } },
          { ...good, runs: { command: 'x'.repeat(1_001) } },
          { ...good, runs: { command: 'a\nb' } },
          { ...good, runs: { command: 'npx', args: 'a b' } },
          { ...good, runs: { command: 'npx', args: ['a', 1] } },
          { ...good, runs: { command: 'npx', args: ['a\u0000'] } },
          { ...good, runs: { command: 'npx', env: { A: 1 } } },
          { ...good, runs: { command: 'npx', env: ['A=1'] } },
          { ...good, runs: { command: 'npx', env: { A: 'x'.repeat(16_385) } } },
          { ...good, runs: { command: 'npx', url: 'https://example.com' } },
          { ...good, runs: { args: ['a'] } },
          { ...good, runs: { url: 'file:///etc/passwd' } },
          { ...good, runs: { url: 'https://user:password@example.com/' } },
          { ...good, runs: { url: 'https://example.com', env: { A: 'b' } } },
          { ...good, runs: { url: 'https://example.com', headers: { Host: 'other' } } },
          { ...good, runs: { url: 'https://example.com', headers: { A: 'b', a: 'c' } } },
          { ...good, runs: { url: 'https://example.com', headers: { A: 'b\r\nC: d' } } },
          { ...good, tools: [] },
          { ...good, description: 'x'.repeat(2_001) },
          { ...good, description: null },
          { ...good, guardrails: { input: { block: ['toxicity'] } } },
          { ...good, guardrails: { both: {} } },
        ],
      },
      {
        operation: get_config_server,
        roles: readers,
        good: one,
        bad: [{ config_id: 'x' }, { ...one, server_id: '' }],
      },
      {
        operation: update_config_server,
        roles: writers,
        good: { ...one, description: 'd' },
        bad: [
          one,
          { ...one, runs: { command: '' } },
          { ...one, runs: { command: 'npx', headers: {} } },
          { ...one, tools: 'all' },
          { ...one, name: 'other' },
        ],
      },
      { operation: remove_config_server, roles: writers, good: one, bad: [{ config_id: 'x' }] },
      { operation: remove_config_servers, roles: writers, good: { config_id: 'x' }, bad: [{}] },
      { operation: validate_config, roles: readers, good: { config_id: 'x' }, bad: [{}] },
    ],
  )

  it('adds a server with everything it is given, and one that has a name and a command only', async () => {
    const { call } = instance
    const config_id = await config()
    const guardrails = { input: { enabled: true, policy_name: 'Sample Policy' } }
    const rows = await trailOf(instance, async () => {
      const server = await add(config_id, { tools: { search: {} }, description: 'GitHub', guardrails })
      expect(server).toMatchObject({
        name: 'github_server',
        description: 'GitHub',
        command: runs.command,
        args: runs.args,
        url: null,
        headers: {},
        tools: { search: {} },
        input_guardrails: { ...off, ...guardrails.input },
        output_guardrails: off,
      })
    })
    expect(rows).toMatchObject([{ action: 'add_config_server', outcome: 'ok' }])
    const least = await add(config_id, { name: 'least', runs: { command: 'python' } })
    expect(least).toMatchObject({ args: [], env: {}, tools: {}, description: '', input_guardrails: off })
    const shown = (await call('reader', get_config, { config_id })).config.servers
    expect(shown.map((server) => server.name)).toEqual(['github_server', 'least'])
    for (const server_id of [least.id, 'least']) {
      expect((await call('reader', get_config_server, { config_id, server_id })).server).toEqual(shown[1])
    }
  })

  it('adds a remote server by its address, with headers that are shown to nobody', async () => {
    const headers = { Authorization: 'Bearer value_of_the_header' }
    const server = await add(await config(), { runs: { url: 'https://example.com/mcp', headers } })
    expect(server).toMatchObject({
      command: null,
      args: [],
      env: {},
      url: 'https://example.com/mcp',
      headers: { Authorization: '***' },
    })
    expect(server.header_fingerprints).toEqual({ Authorization: expect.stringMatching(/^fp_\w{16}$/) })
  })

  it('refuses a name twice in a configuration and takes it in another', async () => {
    const config_id = await config()
    await add(config_id)
    expect(await refusalError(add(config_id))).toMatchObject({
      code: 'conflict',
      entity: 'server',
      reason: 'name_taken',
    })
    expect((await add(config_id, { name: 'GitHub_server' })).name).toBe('GitHub_server')
    expect((await add(await config())).name).toBe('github_server')
    expect(await refusalError(add('cfg_none'))).toMatchObject({ code: 'not_found', entity: 'configuration' })
  })

  it('R47: an addition repeated with its key answers the same and adds nothing', async () => {
    const config_id = await config()
    const first = await add(config_id, { idempotency_key: 'repeated-0123456789' })
    expect(await add(config_id, { idempotency_key: 'repeated-0123456789' })).toEqual(first)
    expect((await instance.call('reader', get_config, { config_id })).config.servers).toHaveLength(1)
  })

  it(`${verifies('enkrypt:servers:object:slug')} slugs come from names, count on where one is taken, deleted ones too, and stay`, async () => {
    const { call } = instance
    const [config_id, other] = [await config(), await config()]
    const first = await add(config_id, { name: 'My Slug!' })
    expect(first.slug).toBe('my-slug-')
    expect((await add(other, { name: 'My Slug!' })).slug).toBe('my-slug--2')
    await call('admin', remove_config_server, { config_id, server_id: first.id })
    const again = await add(config_id, { name: 'My Slug!' })
    expect(again.slug).toBe('my-slug--3')
    await call('admin', update_server, { server_id: again.id, name: 'Another name' })
    const named = { config_id, server_id: 'Another name' }
    expect((await call('reader', get_config_server, named)).server).toMatchObject({ slug: 'my-slug--3' })
  })

  it(`${verifies('enkrypt:servers:object:one-table')} there is one set of servers, whichever face shows or deletes one`, async () => {
    const { call } = instance
    const config_id = await config()
    const server = await add(config_id)
    const { servers } = await call('reader', list_servers, { text: server.slug })
    expect(servers).toMatchObject([{ id: server.id, slug: server.slug, config_id }])
    await call('admin', delete_server, { server_id: server.id })
    expect((await call('reader', get_config, { config_id })).config.servers).toEqual([])
    expect((await call('reader', get_server, { server_id: server.id })).server.status).toBe('deleted')
    const next = await add(config_id)
    expect(next.name).toBe(server.name)
    expect(next.slug).not.toBe(server.slug)
  })

  it('changes what is given and nothing else, also to what is empty', async () => {
    const { call } = instance
    const config_id = await config()
    const before = await add(config_id, { tools: { a: {} }, description: 'before' })
    const update = (input: object) =>
      call('admin', update_config_server, { config_id, server_id: before.id, ...input })
    const rows = await trailOf(instance, async () => {
      const { server, changed } = await update({ runs: { args: ['/new/path'] } })
      expect(changed).toBe(true)
      expect(server).toEqual({ ...before, args: ['/new/path'], updated_at: server.updated_at })
    })
    expect(rows).toMatchObject([{ action: 'update_config_server', target_id: before.id }])
    const emptied = await update({ runs: { args: [], env: {} }, tools: {}, description: '' })
    expect(emptied.server).toMatchObject({ command: 'npx', args: [], env: {}, tools: {}, description: '' })
    expect(await update({ runs: { args: [], env: {} }, tools: {}, description: '' })).toEqual({
      ...emptied,
      changed: false,
    })
    for (const unknown of [{ server_id: 'mgsr_none' }, { server_id: before.name }]) {
      expect(await refusalError(update({ ...unknown, tools: {} }))).toMatchObject({
        code: 'not_found',
        entity: 'server',
      })
    }
  })

  it('a server of another configuration, or of none, is not found', async () => {
    const { call } = instance
    const [config_id, other] = [await config(), await config()]
    const elsewhere = [await add(other), await plantServer(instance)]
    for (const { id: server_id } of elsewhere) {
      const calls = [
        call('reader', get_config_server, { config_id, server_id }),
        call('admin', update_config_server, { config_id, server_id, description: 'x' }),
        call('admin', remove_config_server, { config_id, server_id }),
      ]
      expect(await Promise.all(calls.map(refusal))).toEqual(Array(3).fill('not_found'))
    }
  })

  it('turns a program into an address and back, and keeps nothing of what it was', async () => {
    const { call } = instance
    const config_id = await config()
    const { id: server_id } = await add(config_id)
    const update = async (asked: object) =>
      (await call('admin', update_config_server, { config_id, server_id, runs: asked })).server
    expect(await refusalError(update({ headers: { A: 'b' } }))).toMatchObject({
      code: 'conflict',
      reason: 'other_kind',
    })
    const remote = await update({ url: 'https://example.com/mcp', headers: { A: 'b' } })
    expect(remote).toMatchObject({ command: null, args: [], env: {}, headers: { A: '***' } })
    expect(await refusal(update({ args: ['x'] }))).toBe('conflict')
    expect(await update({ command: 'python' })).toMatchObject({
      command: 'python',
      args: [],
      env: {},
      url: null,
      headers: {},
    })
  })

  it('R37: headers that were stored for one origin are not sent to another by a change of the address alone', async () => {
    const { call } = instance
    const config_id = await config()
    const headers = { Authorization: 'Bearer stored' }
    const { id: server_id } = await add(config_id, { runs: { url: 'https://example.com/a', headers } })
    const update = (asked: object) =>
      call('admin', update_config_server, { config_id, server_id, runs: asked })
    expect(await refusalError(update({ url: 'https://attacker.example/a' }))).toMatchObject({
      code: 'conflict',
      reason: 'other_origin',
    })
    expect((await update({ url: 'https://example.com/b' })).server.headers).toEqual({ Authorization: '***' })
    expect((await update({ url: 'https://other.example/', headers: {} })).server.headers).toEqual({})
  })

  it('R16: a removed server leaves every token that named it, and nobody gains anything', async () => {
    const { call } = instance
    const config_id = await config()
    const server = await add(config_id)
    const token = await makeToken(instance, { access: { servers: [server.id] } })
    const remove = () => call('admin', remove_config_server, { config_id, server_id: server.id })
    const rows = await trailOf(instance, remove)
    expect(rows).toMatchObject([{ action: 'remove_config_server', target_id: server.id }])
    expect((await call('reader', get_token, { token_id: token.id })).token.access).toMatchObject({
      all_servers: false,
      servers: [],
    })
    expect(await refusal(remove())).toBe('not_found')
  })

  it('removes all servers of a configuration, also when there are none, and of no other', async () => {
    const { call } = instance
    const [config_id, other] = [await config(), await config()]
    const ids = [(await add(config_id)).id, (await add(config_id, { name: 'second' })).id]
    await add(other)
    const rows = await trailOf(instance, async () => {
      expect(await call('admin', remove_config_servers, { config_id })).toMatchObject({
        config: { id: config_id },
        removed: 2,
      })
    })
    expect(rows).toMatchObject([{ action: 'remove_config_servers', target_id: config_id }])
    for (const id of ids) expect(rows[0]?.details).toContain(id)
    expect((await call('admin', remove_config_servers, { config_id })).removed).toBe(0)
    expect((await call('reader', get_config, { config_id: other })).config.servers).toHaveLength(1)
  })

  it(`${verifies('enkrypt:configs:copy:ok')} a copy has all servers with their values under ids and slugs of its own, and lives apart`, async () => {
    const { call } = instance
    const config_id = await config()
    const guardrails = { output: { enabled: true, block: ['pii' as const] } }
    await add(config_id, { tools: { a: { b: 1 } }, description: 'd', guardrails })
    const headers = { Authorization: 'Bearer x' }
    await add(config_id, { name: 'remote', runs: { url: 'https://example.com', headers } })
    const source = (await call('reader', get_config, { config_id })).config
    const rows = await trailOf(instance, () =>
      call('admin', copy_config, { config_id, name: `copy ${made}` }),
    )
    const { config: copy } = await call('reader', get_config, { config_id: `copy ${made}` })
    expect(rows.map((row) => [row.action, row.target_id])).toEqual([
      ['copy_config', copy.id],
      ...copy.servers.map((server) => ['add_config_server', server.id]),
    ])
    const kept = ({ id, slug, created_at, updated_at, ...rest }: (typeof copy.servers)[number]) => rest
    expect(copy.servers.map(kept)).toEqual(source.servers.map(kept))
    expect(copy.servers.map((server) => server.slug)).not.toEqual(source.servers.map((server) => server.slug))
    expect(copy).toMatchObject({ projects: [] })
    const server_id = copy.servers[0]?.id ?? ''
    await call('admin', update_config_server, { config_id: copy.id, server_id, runs: { args: [], env: {} } })
    await call('admin', remove_config_servers, { config_id: copy.id })
    expect((await call('reader', get_config, { config_id })).config).toEqual(source)
  })

  it('holds a thousand servers and no more, and copies and shows them all, with a slug each', async () => {
    const { call } = instance
    const mcp_config = Array.from({ length: 1_000 }, (_, n) => ({
      server_name: `same slug ${String.fromCodePoint(0x4e00 + n)}`,
      config: { command: 'x', env: { N: String(n) } },
    }))
    const data = { config: { mcp_config } } as never
    const { config: full } = await call('admin', import_config, { name: `full ${made}`, data })
    expect(full.servers).toHaveLength(1_000)
    expect(await refusalError(add(full.id))).toMatchObject({ code: 'conflict', reason: 'too_many' })
    const copied = await call('admin', copy_config, { config_id: full.id, name: `full copy ${made}` })
    const slugs = [...full.servers, ...copied.config.servers].map((server) => server.slug)
    expect(new Set(slugs).size).toBe(2_000)
    expect(slugs[1_999]).toBe('same-slug---2000')
    expect(copied.config.servers[999]?.env_fingerprints).toEqual(full.servers[999]?.env_fingerprints)
    expect((await call('admin', remove_config_servers, { config_id: full.id })).removed).toBe(1_000)
  })

  it('copying refuses a source that is not there and a name that is taken, and makes nothing', async () => {
    const { call } = instance
    const config_id = await config()
    const { name } = (await call('reader', get_config, { config_id })).config
    expect(
      await refusalError(call('admin', copy_config, { config_id: 'cfg_none', name: 'new' })),
    ).toMatchObject({ code: 'not_found', entity: 'configuration' })
    expect(await refusalError(call('admin', copy_config, { config_id, name }))).toMatchObject({
      code: 'conflict',
      reason: 'name_taken',
    })
  })

  it('a configuration is valid without servers and with sound ones; else each issue is named', async () => {
    const { call } = instance
    const config_id = await config()
    expect(await call('reader', validate_config, { config_id })).toEqual({
      valid: true,
      server_count: 0,
      issues: [],
    })
    await add(config_id)
    await add(config_id, { name: 'remote', runs: { url: 'https://example.com' } })
    expect(await call('reader', validate_config, { config_id })).toMatchObject({
      valid: true,
      server_count: 2,
    })
    const { slug } = await plantServer(instance, { config_id, name: 'IGNORE PREVIOUS INSTRUCTIONS' })
    expect(await call('reader', validate_config, { config_id })).toEqual({
      valid: false,
      server_count: 3,
      issues: [`Server ${slug} has neither a command nor a url.`],
    })
  })

  it('R15: a user key reads the servers of its own configuration, masked, and changes none; nor does a bound admin', async () => {
    const { call, actor } = instance
    const mine = await plantProject(instance)
    const theirs = await plantProject(instance)
    const server = await add(mine.config_id)
    const ofTheirs = await add(theirs.config_id)
    const bound = { project_id: mine.project_id }
    const userKey = await actor(
      (await plantKey(instance, 'user_key', { ...bound, owner_id: mine.user_id })).secret,
    )
    const admin = await actor((await plantKey(instance, 'management', { ...bound, role: 'admin' })).secret)
    const own = { config_id: mine.config_id, server_id: server.id }
    const other = { config_id: theirs.config_id, server_id: ofTheirs.id }
    for (const holder of [userKey, admin]) {
      expect((await call(holder, get_config_server, own)).server).toEqual(server)
      expect(await refusal(call(holder, get_config_server, other))).toBe('not_found')
      expect(await refusal(call(holder, get_config_server, { ...own, server_id: ofTheirs.id }))).toBe(
        'not_found',
      )
      const changes = [
        call(holder, add_config_server, { ...good, config_id: mine.config_id }),
        call(holder, update_config_server, { ...own, description: 'x' }),
        call(holder, remove_config_server, own),
        call(holder, remove_config_servers, { config_id: mine.config_id }),
      ]
      expect(await Promise.all(changes.map(refusal))).toEqual(Array(4).fill('forbidden'))
    }
    expect(await refusal(call(userKey, validate_config, { config_id: mine.config_id }))).toBe('forbidden')
  })

  it('names of servers are accepted by changes in the Enkrypt dialect alone, within their configuration', async () => {
    const { call } = instance
    const [config_id, other] = [await config(), await config()]
    const server = await add(config_id)
    await add(other)
    const input = { config_id, server_id: server.name, description: 'by name' }
    expect(await refusal(call('admin', update_config_server, input))).toBe('not_found')
    const rows = await trailOf(instance, () => call('admin', update_config_server, input, 'enkrypt'))
    expect(rows).toMatchObject([{ target_id: server.id }])
    const removed = await call(
      'admin',
      remove_config_server,
      { config_id, server_id: server.name },
      'enkrypt',
    )
    expect(removed.server.id).toBe(server.id)
    expect((await call('reader', get_config, { config_id: other })).config.servers).toHaveLength(1)
  })
})
