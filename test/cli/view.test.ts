import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { view } from '../../src/cli/print.ts'
import { told } from '../../src/cli/run.ts'
import { jsonText, visible } from '../../src/cli/text.ts'
import { secretString } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'

const hostile = 'a\u001b[2Jb\u202ec\nd\u009be'

const list = operation({
  name: 'list_things',
  title: 'List things',
  description: '',
  input: z.strictObject({}),
  output: z.object({
    things: z.array(z.object({ id: z.string(), name: z.string(), pin: secretString('s') })),
  }),
  permission: 'public',
  effect: 'read',
  run: async () => ({ things: [] }),
})

describe('what the command line shows', () => {
  it('R54: text others wrote cannot steer the terminal, in tables, errors and JSON alike', () => {
    const steering = /(?!\n)\p{Control}|[\u202a-\u202e\u2066-\u2069]/u
    const table = view(list, { things: [{ id: '1', name: hostile, pin: 'x' }] }, 80, false)
    for (const text of [
      visible(hostile),
      table,
      told({ code: 'conflict', message: hostile }, false),
      jsonText({ hostile }),
    ]) {
      expect(text).not.toMatch(steering)
    }
    expect(table.trim().split('\n')).toHaveLength(2)
    expect(JSON.parse(jsonText({ hostile }))).toEqual({ hostile })
  })

  it('a row of the trail says when, what, by whom, how it ended and on what, in 80 columns', () => {
    const event = {
      ...{ seq: 9, at: '2026-11-22T19:04:02.518Z', via: 'cli', request_id: 'req_1', action: 'rotate_token' },
      ...{ actor: { kind: 'local', id: 'root', name: null, role: 'admin' }, outcome: 'denied' },
      ...{ target_id: 'mgtk_03529rZ5MhKxW8np7zoxxu', details: { changed: true } },
    }
    const { name, title, description, input, permission, effect } = list
    const output = z.object({ events: z.array(z.looseObject({})) })
    const run = async () => ({ events: [] })
    const events = operation({ name, title, description, input, output, permission, effect, run })
    const [, row] = view(events, { events: [event] }, 80, false).split('\n')
    expect(row).toMatch(/^9 +2026-11-22 19:04Z +\S+ +root +denied +mgtk_03529rZ5MhKxW8np7zoxxu$/)
  })

  it('R53: secrets have no place in a table', () => {
    const table = view(list, { things: [{ id: '1', name: 'a', pin: 'hunter22' }] }, 80, false)
    expect(table).toContain('[secret]')
    expect(table).not.toContain('hunter22')
  })

  it.each([40, 80, 120])('no line of a table is wider than %i columns, and ids are never cut', (columns) => {
    const id = 'mgtk_03528HVlJojGSe1AB1Ipb3'
    const things = [
      { id, name: 'n'.repeat(200), pin: 'x' },
      { id, name: 'short', pin: 'x' },
    ]
    const lines = view(list, { things }, columns, false)
      .split('\n')
      .filter((line) => line.startsWith('mgtk'))
    expect(lines).toHaveLength(2)
    for (const line of lines) {
      expect([...line].length).toBeLessThanOrEqual(columns)
      expect(line).toContain(id)
    }
  })

  it('a sentence goes on in the next line under its own column instead of being cut', () => {
    const detail = 'The server entry lets 12 tools through, and this is none of them.'
    const trace = [
      { check: 'tool_listed', outcome: 'failed', detail },
      { check: 'server_runs', outcome: 'passed', detail: 'Short.' },
    ]
    const { name, title, description, input, permission, effect } = list
    const output = z.object({ trace: z.array(z.looseObject({})) })
    const run = async () => ({ trace: [] })
    const steps = operation({ name, title, description, input, output, permission, effect, run })
    const lines = view(steps, { trace }, 50, false).trimEnd().split('\n')
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(50)
    expect(lines[1]).toMatch(/^failed +tool_listed +The server/)
    const column = lines[1]?.indexOf('The server') ?? 0
    expect(
      lines
        .slice(1, -1)
        .map((line) => line.slice(column))
        .join(' '),
    ).toBe(detail)
    expect(lines.slice(2, -1).every((line) => line.startsWith(' '.repeat(column)))).toBe(true)
    expect(lines.at(-1)).toMatch(/Short\.$/)
  })

  it('tells a number of things with those of them that are named on one line, and sentences one to a line', () => {
    const { name, title, description, input, permission, effect } = list
    const some = z.looseObject({})
    const output = z.object({ warnings: z.array(z.string()), lost: some, kept: some })
    const servers = [
      { id: 'a', slug: 'weather', name: null },
      { id: 'b', slug: 'git', name: 'Git' },
    ]
    const answer = {
      warnings: ['One thing.', hostile],
      lost: { count: 12, servers },
      kept: { count: 0, servers: [] },
    }
    const run = async () => answer
    const counts = operation({ name, title, description, input, output, permission, effect, run })
    const lines = view(counts, answer, 80, false).trimEnd().split('\n')
    expect(lines).toEqual([
      'warnings:',
      '  One thing.',
      `  ${visible(hostile)}`,
      'lost: 12 (weather, git)',
      'kept: 0',
    ])
  })

  it('the call that mends a finding is a command on a line of its own, whole however narrow the terminal is', () => {
    const { name, title, description, input, permission, effect } = list
    const output = z.object({ findings: z.array(z.looseObject({})) })
    const token_id = 'mgtk_03528HVlJojGSe1AB1Ipb3'
    const access = { all_servers: false, servers: ['a'] }
    const findings = [
      { rule: 'unused', mend: { tool: 'set_token_enabled', arguments: { token_id, enabled: false } } },
      { rule: 'same_name', mend: { tool: 'update_token', arguments: { name: `it's`, not_before: null } } },
      {
        rule: 'all_servers',
        mend: { tool: 'update_token', arguments: { allowed_ips: ['::1', '10.0.0.1'], access } },
      },
    ]
    const run = async () => ({ findings: [] })
    const lint = operation({ name, title, description, input, output, permission, effect, run })
    expect(view(lint, { findings }, 40, false).trimEnd().split('\n')).toEqual([
      'rule',
      'unused',
      `  tokenwright set-token-enabled --token-id ${token_id} --enabled false`,
      'same_name',
      `  tokenwright update-token --name 'it'\\''s' --not-before null`,
      'all_servers',
      `  tokenwright update-token --allowed-ips ::1 --allowed-ips 10.0.0.1 --access '{"all_servers":false,"servers":["a"]}'`,
    ])
  })

  it('says so when a list is empty', () => {
    expect(view(list, { things: [] }, 80, false)).toBe('No things.\n')
  })
})
