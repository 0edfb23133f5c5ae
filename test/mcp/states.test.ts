import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toolsets } from '../../tools/index.ts'
import { plantKey, setPolicy } from '../support/world.ts'
import { refusalsOfOthers } from './refusals-of-others.ts'
import { refusalsOfTokens } from './refusals-of-tokens.ts'
import { namesACall, namesAParameter, refused } from './refused.ts'
import { type McpServer, startMcp } from './server.ts'
import { plantStates, type States } from './states.ts'

describe('refusals by the state of things', () => {
  let server: McpServer
  let states: States
  let admin: Client
  beforeAll(async () => {
    server = await startMcp({ toolsets: Object.keys(toolsets) })
    states = await plantStates(server.instance)
    admin = await server.client(await server.key('admin'))
  })
  afterAll(() => server.close())

  it.each(
    [...refusalsOfTokens, ...refusalsOfOthers].map(
      ([title, name, ...rest]) => [name, title, ...rest] as const,
    ),
  )('%s with %s says the rule, or what to call next', async (name, _title, args, code, says) => {
    const [found, sentence] = await refused(admin, name, args(states))
    expect([found, sentence]).toEqual([code, expect.stringMatching(says)])
    expect(namesAParameter(sentence, name) || namesACall(sentence), sentence).toBe(true)
  })

  it.each([
    'create_group',
    'create_server',
    'create_project',
    'create_config',
    'create_user',
    'list_audit_events',
  ])('%s tells a key of a project what it is bound to', async (name) => {
    const bound = { role: 'admin' as const, project_id: states.project.project_id }
    const { secret } = await plantKey(server.instance, 'management', bound)
    const [code, sentence] = await refused(await server.client(secret), name, {
      ...(name === 'create_user' ? { email: 'y@example.com' } : { name: 'x' }),
      ...(name === 'list_audit_events' ? { name: undefined } : {}),
    })
    expect([code, sentence]).toEqual(['forbidden', expect.stringMatching(/bound to a project/)])
  })

  it('a user key is told who changes its own limits, and how', async () => {
    const { id, secret } = states.key
    const client = await server.client(secret)
    const changes: [string, object][] = [
      ['update_token', { name: 'x' }],
      ['add_groups', { group_ids: [] }],
      ['remove_groups', { group_ids: [] }],
      ['set_token_enabled', { enabled: true }],
    ]
    for (const [name, args] of changes) {
      const [code, sentence] = await refused(client, name, { token_id: id, ...args })
      expect([code, sentence]).toEqual([
        'forbidden',
        'A key may not change its own limits; an operator does it with update_token.',
      ])
    }
  })

  it('a repeated key with other arguments is told to give a new one, and a late repeat what was made', async () => {
    const idempotency_key = 'a-key-of-enough-length'
    const made = await admin.callTool({ name: 'create_token', arguments: { name: 'x', idempotency_key } })
    const { token } = made.structuredContent as { token: { id: string } }
    const other = await refused(admin, 'create_token', { name: 'y', idempotency_key })
    expect(other).toEqual(['conflict', expect.stringMatching(/Give a new idempotency_key\.$/)])
    server.instance.clock.pass(11 * 60_000)
    const late = await refused(admin, 'create_token', { name: 'x', idempotency_key })
    expect(late).toEqual(['already_done', expect.stringContaining(token.id)])
  })

  it('what the policy of the instance refuses is said with the name of its setting', async () => {
    await setPolicy(server.instance, { max_lifetime_days: 10, delivery_kinds: ['link'] })
    expect(await refused(admin, 'create_token', { name: 'x', expires_at: null })).toEqual([
      'invalid_input',
      'Tokens without an expiry are not allowed here: max_lifetime_days is set. Give expires_at.',
    ])
    expect(await refused(admin, 'create_token', { name: 'x', delivery: 'inline' })).toEqual([
      'forbidden',
      expect.stringMatching(/delivery_kinds; ask for "?link/),
    ])
    expect(await refused(admin, 'create_token', { name: 'x', expires_in_days: 11 })).toEqual([
      'invalid_input',
      expect.stringMatching(/10 days|max_lifetime_days/),
    ])
    expect(await refused(admin, 'rotate_token', { token_id: states.plain })).toEqual([
      'conflict',
      expect.stringMatching(/max_lifetime_days.* update_token/),
    ])
  })
})
