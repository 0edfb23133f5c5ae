import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { get_config_server } from '../../tools/configs/get_config_server.ts'
import { set_server_guardrails } from '../../tools/configs/set_server_guardrails.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import { plantKey, plantProject, trailOf } from '../support/world.ts'

const off = { enabled: false, policy_name: '', additional_config: {}, block: [] }
const strict = {
  enabled: true,
  policy_name: 'Input Guardrail Policy',
  additional_config: { pii_redaction: true, keywords: ['forbidden'] },
  block: ['policy_violation' as const, 'injection_attack' as const],
}
const good = { config_id: 'x', server_id: 'y', input: {} }

describe.each(databases)('guardrails on $name', (database) => {
  let instance: Instance
  let server = { config_id: '', server_id: '' }
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
    mkdirSync(join(instance.place.dataDir, 'exports'), { recursive: true })
  })
  afterAll(() => instance.close())
  beforeEach(async () => {
    made += 1
    const { config } = await instance.call('admin', create_config, { name: `config ${made}` })
    const added = await instance.call('admin', add_config_server, {
      config_id: config.id,
      name: 'guarded',
      runs: { command: 'npx' },
    })
    server = { config_id: config.id, server_id: added.server.id }
  })

  const set = (policies: object) => instance.call('admin', set_server_guardrails, { ...server, ...policies })
  const shown = async () => {
    const found = await instance.call('reader', get_config_server, server)
    return [found.server.input_guardrails, found.server.output_guardrails]
  }
  const write = (name: string, content: unknown) =>
    writeFileSync(join(instance.place.dataDir, 'exports', name), JSON.stringify(content))

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: set_server_guardrails,
        roles: ['admin'],
        good,
        bad: [
          { config_id: 'x', server_id: 'y' },
          { ...good, input: null },
          { ...good, input: { block: ['toxicity'] } },
          { ...good, input: { pii_redaction: true } },
          { ...good, input: { enabled: true, block: ['keyword'] } },
          { ...good, output: { additional_config: { patterns: ['a', '('] } } },
          { ...good, output: { enabled: 1 } },
          { ...good, input_file: 'policy.json' },
          { ...good, output: {}, output_file: 'policy.json' },
          { ...good, output_file: '../policy.json' },
          { ...good, output_file: '/etc/passwd' },
        ],
      },
    ],
  )

  it(`${verifies('enkrypt:guardrails:update:replaces')} replaces the whole policy of one side and leaves the other alone`, async () => {
    const rows = await trailOf(instance, async () => {
      expect(await set({ input: strict })).toMatchObject({
        changed: true,
        server: { input_guardrails: strict, output_guardrails: off },
      })
    })
    expect(rows).toMatchObject([
      { action: 'set_server_guardrails', target_id: server.server_id, outcome: 'ok' },
    ])
    await set({ output: { block: ['pii'] } })
    await set({ input: { enabled: true } })
    expect(await shown()).toEqual([
      { ...off, enabled: true },
      { ...off, block: ['pii'] },
    ])
    expect((await set({ input: { enabled: true } })).changed).toBe(false)
  })

  it(`${verifies('enkrypt:guardrails:update:both-sides')} with both sides it changes both or neither`, async () => {
    await set({ input: strict, output: strict })
    expect(await shown()).toEqual([strict, strict])
    expect(await refusal(set({ input: {}, output: { block: ['other'] } }))).toBe('invalid_input')
    write('broken.json', { block: ['other'] })
    expect(await refusal(set({ input: {}, output_file: 'broken.json' }))).toBe('invalid_input')
    expect(await refusal(set({ input: {}, output_file: 'missing.json' }))).toBe('not_found')
    expect(await shown()).toEqual([strict, strict])
  })

  it(`${verifies('enkrypt:guardrails:update:file')} takes a policy from a file in exports/`, async () => {
    write('policy.json', strict)
    const done = await set({ input_file: 'policy.json', output: { enabled: true } })
    expect(done.server).toMatchObject({ input_guardrails: strict, output_guardrails: { enabled: true } })
  })

  it('names the member and the index of what its checks could not use, inline and in a file, and never the text', async () => {
    const broken = { ...strict, additional_config: { keywords: ['a'], patterns: ['fine', 'hunter2('] } }
    write('patterns.json', broken)
    for (const policies of [{ output: broken }, { output_file: 'patterns.json' }]) {
      const { code, field, message } = await refusalError(set(policies))
      const [side] = Object.keys(policies)
      expect([code, field]).toEqual(['invalid_input', `${side}.additional_config.patterns.1`])
      expect(message).toContain('is no regular expression in the syntax of RE2')
      expect(message).not.toContain('hunter2')
    }
    expect(await shown()).toEqual([off, off])
  })

  it('R35: reads no link and nothing but a policy, and names what is wrong in it', async () => {
    const { dataDir } = instance.place
    writeFileSync(join(dataDir, 'outside.json'), JSON.stringify(strict))
    symlinkSync(join(dataDir, 'outside.json'), join(dataDir, 'exports', `link${made}.json`))
    write('list.json', [strict])
    write('names.json', { ...strict, block: ['policy_violation', 'toxicity'] })
    write('unknown.json', { ...strict, level: 5 })
    writeFileSync(join(dataDir, 'exports', 'text.json'), 'not JSON')
    const told: unknown[] = []
    for (const input_file of [`link${made}.json`, 'list.json', 'names.json', 'unknown.json', 'text.json']) {
      const { code, field } = await refusalError(set({ input_file }))
      told.push([code, field])
    }
    expect(told).toEqual([
      ['invalid_input', 'input_file'],
      ['invalid_input', 'input_file'],
      ['invalid_input', 'input_file.block.1'],
      ['invalid_input', 'input_file.level'],
      ['invalid_input', 'input_file'],
    ])
    expect(await shown()).toEqual([off, off])
  })

  it('refuses a server that is not there, and a key that is bound to a project', async () => {
    expect(await refusalError(set({ server_id: 'mgsr_none', input: {} }))).toMatchObject({
      code: 'not_found',
      entity: 'server',
    })
    const { project_id, config_id, server: own } = await plantProject(instance)
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id })
    const bound = await instance.actor(secret)
    const call = instance.call(bound, set_server_guardrails, { config_id, server_id: own.id, input: {} })
    expect(await refusal(call)).toBe('forbidden')
  })
})
