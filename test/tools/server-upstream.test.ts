import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { get_config } from '../../tools/configs/get_config.ts'
import { update_config_server } from '../../tools/configs/update_config_server.ts'
import { create_server } from '../../tools/servers/create_server.ts'
import { delete_server } from '../../tools/servers/delete_server.ts'
import { get_server } from '../../tools/servers/get_server.ts'
import { list_servers } from '../../tools/servers/list_servers.ts'
import { set_server_upstream } from '../../tools/servers/set_server_upstream.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { leak, plantKey, plantProject, trailOf } from '../support/world.ts'

const value = 'ghp_ValueOfTheVariableThatNobodyIsShown'
const program = { command: 'npx', args: ['-y', 'a; $(b) `c`', ''], env: { GITHUB_TOKEN: value } }
const address = { url: 'https://example.com/mcp', headers: { Authorization: `Bearer ${value}` } }
const policy = { enabled: true, policy_name: 'p', additional_config: {}, block: ['pii' as const] }
const good = { server_id: 'x', runs: { command: 'npx' } }

describe.each(databases)('set_server_upstream on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const bare = async () => (await instance.call('admin', create_server, { name: 'Weather' })).server
  const set = (server_id: string, asked: object) =>
    instance.call('admin', set_server_upstream, { server_id, ...asked })

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: set_server_upstream,
        roles: ['admin'],
        good,
        bad: [
          { server_id: 'x' },
          { runs: { command: 'npx' } },
          { ...good, runs: 'npx' },
          { ...good, runs: { command: '' } },
          { ...good, runs: { command: 'npx', url: 'https://example.com' } },
          { ...good, runs: { command: 'npx', args: 'a b' } },
          { ...good, runs: { command: 'npx', env: { LD_PRELOAD: 'x' } } },
          { ...good, runs: { url: 'file:///etc/passwd' } },
          { ...good, runs: { url: 'https://example.com', headers: { Host: 'x' } } },
          { ...good, tools: ['search'] },
          { ...good, input_guardrails: { block: ['toxicity'] } },
          { ...good, output_guardrails: null },
          { ...good, description: 'x' },
        ],
      },
    ],
  )

  it('R34: gives a server that belongs to no configuration a program, and the whole argv is on record', async () => {
    const { call, core } = instance
    const server = await bare()
    expect(server.runs).toBeNull()
    expect((await core.entries.find(server.slug))?.runs).toBeNull()
    const tools = { forecast: {} }
    const asked = { runs: program, tools, input_guardrails: policy }
    const rows = await trailOf(instance, async () => {
      const done = await set(server.id, asked)
      expect(done).toMatchObject({
        changed: true,
        server: { id: server.id, slug: server.slug, command: 'npx', args: program.args, url: null, tools },
      })
      expect(done.server.env).toEqual({ GITHUB_TOKEN: '***' })
      expect(done.server.input_guardrails).toEqual(policy)
      expect(done.server.output_guardrails).toMatchObject({ enabled: false })
    })
    expect(rows).toMatchObject([{ action: 'set_server_upstream', target_id: server.id, outcome: 'ok' }])
    expect(JSON.parse(rows[0]?.details ?? '')).toMatchObject({
      argv: ['npx', ...program.args],
      env: ['GITHUB_TOKEN'],
      changed: ['command', 'args', 'env', 'tools', 'input_guardrails'],
    })
    expect(await core.entries.find(server.slug)).toMatchObject({
      runs: { kind: 'program', ...program },
      tools: new Set(['forecast']),
      input: policy,
    })
    expect((await call('reader', get_server, { server_id: server.id })).server.runs).toBe('program')
    expect(await set(server.id, asked)).toMatchObject({ changed: false })
  })

  it('R37: gives it an address, and shows the headers to nobody, not in the answer, the trail or the log', async () => {
    const { call, core, log } = instance
    const server = await bare()
    const answers: unknown[] = []
    const rows = await trailOf(instance, async () => answers.push(await set(server.id, { runs: address })))
    answers.push(rows, log, await call('admin', get_server, { server_id: server.id }))
    expect(answers[0]).toMatchObject({
      server: { command: null, url: address.url, headers: { Authorization: '***' } },
    })
    expect(leak(Buffer.from(JSON.stringify(answers)), value)).toBe(-1)
    expect((await core.entries.find(server.slug))?.runs).toEqual({ kind: 'address', ...address })
    const { servers } = await call('reader', list_servers, { text: server.slug })
    expect(servers).toMatchObject([{ id: server.id, runs: 'address' }])
  })

  it('members that are absent stay, and a program that becomes an address keeps nothing of what it was', async () => {
    const { core } = instance
    const { id, slug } = await bare()
    await set(id, { runs: program, tools: { a: {} }, output_guardrails: policy })
    await set(id, { runs: { args: ['other'] } })
    await set(id, { tools: {} })
    expect(await core.entries.find(slug)).toMatchObject({
      runs: { ...program, args: ['other'] },
      tools: null,
      output: policy,
    })
    expect(await refusalError(set(id, { runs: { headers: {} } }))).toMatchObject({ reason: 'other_kind' })
    const { server } = await set(id, { runs: address })
    expect(server).toMatchObject({ command: null, args: [], env: {}, url: address.url })
    const elsewhere = set(id, { runs: { url: 'https://attacker.example/' } })
    expect(await refusalError(elsewhere)).toMatchObject({ code: 'conflict', reason: 'other_origin' })
    expect((await core.entries.find(slug))?.runs).toEqual({ kind: 'address', ...address })
  })

  it.each([{ args: ['x'] }, { env: { A: 'b' } }, { headers: { A: 'b' } }])(
    'for the first time it takes a command or a url, not %j alone, and keeps nothing of it',
    async (runs) => {
      const { id, slug } = await bare()
      const refused = await refusalError(set(id, { runs }))
      expect(refused).toMatchObject({ code: 'conflict', entity: 'server', id, reason: 'other_kind' })
      expect(refused.message).toContain('give command or url')
      expect((await instance.core.entries.find(slug))?.runs).toBeNull()
    },
  )

  it('is the same change as update_config_server where the server is one of a configuration, which is marked as changed', async () => {
    const { call, clock } = instance
    const name = `config ${clock.now}`
    const { config } = await call('admin', create_config, { name })
    const add = async (server: string) =>
      (await call('admin', add_config_server, { config_id: config.id, name: server, runs: address })).server
    const [one, two] = [await add('one'), await add('two')]
    clock.pass(1_000)
    const by = { runs: program, tools: { a: {} } }
    const left = await set(one.id, by)
    const shown = (await call('reader', get_config, { config_id: config.id })).config
    expect(shown.updated_at).toBe(new Date(clock.now).toISOString())
    const input = { config_id: config.id, server_id: two.id, ...by }
    const right = await call('admin', update_config_server, input)
    const same = ({ id, slug, name, created_at, updated_at, ...rest }: typeof one) => rest
    expect(same(left.server)).toEqual(same(right.server))
  })

  it('refuses what is not there, what is deleted and a name; and a key that is bound to a project', async () => {
    const { call } = instance
    const server = await bare()
    expect(await refusal(set('mgsr_none', { tools: {} }))).toBe('not_found')
    expect(await refusal(set(server.slug, { tools: {} }))).toBe('not_found')
    await set(server.id, { runs: program })
    await call('admin', delete_server, { server_id: server.id })
    expect(await refusal(set(server.id, { tools: {} }))).toBe('gone')
    expect((await call('reader', get_server, { server_id: server.id })).server.runs).toBeNull()
    const { project_id, server: own } = await plantProject(instance)
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id })
    const bound = await instance.actor(secret)
    const rows = await trailOf(instance, async () => {
      const asked = { server_id: own.id, runs: program }
      expect(await refusal(call(bound, set_server_upstream, asked))).toBe('forbidden')
    })
    expect(rows).toMatchObject([{ action: 'set_server_upstream', outcome: 'denied', target_id: own.id }])
  })
})
