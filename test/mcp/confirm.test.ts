import { createHash } from 'node:crypto'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chosen } from '../../src/mcp/toolsets.ts'
import { toolsets } from '../../tools/index.ts'
import { set_environment } from '../../tools/projects/set_environment.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { databases } from '../support/databases.ts'
import {
  contents,
  makeToken,
  plantGroup,
  plantKey,
  plantProject,
  plantServer,
  stateTables,
  trailOf,
} from '../support/world.ts'
import { type Plays, plantPlays } from './plays.ts'
import { type McpServer, type Person, startMcp } from './server.ts'

const all = Object.keys(toolsets)
const destructive = chosen({ toolsets: all, readOnly: false })
  .filter(({ effect, confirms }) => effect === 'destroy' || confirms === true)
  .map(({ name }) => name)

interface Preview {
  summary: string
  servers_lost: { count: number; servers: { id: string }[] }
  tokens_hit: { count: number; tokens: { id: string }[] }
  last_used_at: string | null
  last_used_ip: string | null
  confirm: string
}

describe.each(databases)('what destroys over MCP on $name', (database) => {
  let server: McpServer
  let plays: Plays
  let client: Client

  beforeAll(async () => {
    server = await startMcp({ toolsets: all }, database)
    plays = await plantPlays(server.instance)
    client = await server.client(await server.key('admin'))
  })
  afterAll(() => server.close())

  async function call(by: Client, name: string, args: object): Promise<CallToolResult> {
    return (await by.callTool({ name, arguments: { ...args } })) as CallToolResult
  }
  async function show(by: Client, name: string, args: object): Promise<Preview> {
    const { structuredContent } = await call(by, name, { ...args, dry_run: true })
    return (structuredContent as { preview: Preview }).preview
  }
  const code = (result: CallToolResult) => result._meta?.['tokenwright/code']
  const text = (result: CallToolResult) => (result.content[0] as { text: string }).text
  /** Everything but how often the callers themselves came, in few bytes. */
  const state = async () => {
    const all = await contents(server.instance, [...stateTables, 'audit'])
    const used = /\\"(secret_used_at|last_used_at|last_used_ip|use_count)\\":(null|\d+|\\".*?\\")/g
    return createHash('sha256').update(all.replace(used, '')).digest('hex')
  }
  const person = async (answer: Person) => server.client(await server.key('admin'), answer)
  /** A token that opens one server, and the call that ends it. */
  async function weather() {
    const { id } = await plantServer(server.instance)
    const made = await makeToken(server.instance, { name: 'ci', access: { servers: [id] } })
    return { server_id: id, token_id: made.id, secret: made.secret }
  }

  it('there are such tools in every set that changes anything', () => {
    expect(destructive.length).toBeGreaterThan(12)
    expect(destructive).toContain('revoke_token')
  })

  it.each(destructive)(
    '%s is refused without a confirm, and neither that nor a dry run leaves anything',
    async (name) => {
      const before = await state()
      const refused = await call(client, name, plays[name] ?? {})
      expect([code(refused), text(refused)]).toEqual([
        'conflict',
        expect.stringMatching(/^conflict: Nothing was changed: .* dry_run: true/),
      ])
      const { summary, confirm } = await show(client, name, plays[name] ?? {})
      expect(confirm).toMatch(/^[0-9a-f]{16}$/)
      expect(summary).toMatch(/\.$/)
      expect(await state()).toBe(before)
    },
  )

  it('a dry run names the servers, the last use and from where, and its confirm does exactly that, once', async () => {
    const { token_id, server_id } = await weather()
    await server.instance.core.store.write((db) =>
      db
        .updateTable('tokens')
        .set({
          last_used_at: new Date(server.instance.clock.now - 120_000).toISOString(),
          last_used_ip: '10.0.0.5',
        })
        .where('id', '=', token_id)
        .execute(),
    )
    const shown = await show(client, 'revoke_token', { token_id })
    expect(shown).toMatchObject({
      summary: expect.stringMatching(
        /^Revoke a token: "ci" \(mgtk_\w+\)\. 1 token loses 1 server \("server-.*"\)\. Last used 2 min ago from 10\.0\.0\.5\.$/,
      ),
      servers_lost: { count: 1, servers: [{ id: server_id }] },
      tokens_hit: { count: 1, tokens: [{ id: token_id, name: 'ci' }] },
      last_used_ip: '10.0.0.5',
    })
    const rows = await trailOf(server.instance, async () => {
      const done = await call(client, 'revoke_token', { token_id, confirm: shown.confirm })
      expect(done.structuredContent).toMatchObject({ token: { status: 'revoked' }, changed: true })
    })
    expect(rows).toMatchObject([{ action: 'revoke_token', outcome: 'ok', target_id: token_id }])
    expect(JSON.parse(rows[0]?.details ?? '')).toEqual({ changed: true, budgeted: 1, confirmed_by: 'digest' })
    expect(code(await call(client, 'revoke_token', { token_id, confirm: shown.confirm }))).toBe('conflict')
  })

  it('a group that goes takes its servers off its tokens, and a person that goes ends theirs', async () => {
    const { id } = await plantServer(server.instance)
    const group_id = await plantGroup(server.instance, [id])
    const inGroup = await makeToken(server.instance, { access: { groups: [group_id] } })
    expect(await show(client, 'delete_group', { group_id })).toMatchObject({
      servers_lost: { count: 1, servers: [{ id }] },
      tokens_hit: { count: 1, tokens: [{ id: inGroup.id }] },
    })
    const { user_id } = (plays['revoke_user_keys'] ?? {}) as { user_id: string }
    expect((await show(client, 'delete_user', { user_id, force: true })).summary).toMatch(
      /1 token is revoked/,
    )
  })

  it('a confirm of another caller, of other arguments, of another tool or made up is refused', async () => {
    const { token_id } = await weather()
    const other = await weather()
    const another = await server.client(
      (await plantKey(server.instance, 'management', { role: 'admin' })).secret,
    )
    const mine = await show(client, 'revoke_token', { token_id })
    const theirs = await show(another, 'revoke_token', { token_id })
    const before = await state()
    const foreign = [
      theirs.confirm,
      (await show(client, 'revoke_token', { token_id: other.token_id })).confirm,
      (await show(client, 'delete_server', { server_id: other.server_id })).confirm,
      '0000000000000000',
      'yes',
    ]
    for (const confirm of foreign)
      expect([confirm, code(await call(client, 'revoke_token', { token_id, confirm }))]).toEqual([
        confirm,
        'conflict',
      ])
    expect(code(await call(client, 'revoke_token', { token_id, confirm: true }))).toBe('invalid_input')
    const both = { token_id, confirm: mine.confirm, dry_run: true }
    expect(code(await call(client, 'revoke_token', both))).toBe('invalid_input')
    expect(await state()).toBe(before)
  })

  it('what was changed since it was shown is shown again first', async () => {
    const { token_id } = await weather()
    const group_id = await plantGroup(server.instance, [(await plantServer(server.instance)).id])
    const [token, group] = [
      await show(client, 'revoke_token', { token_id }),
      await show(client, 'delete_group', { group_id }),
    ]
    await server.instance.call('admin', set_token_enabled, { token_id, enabled: false })
    await makeToken(server.instance, { access: { groups: [group_id] } })
    const before = await state()
    expect(code(await call(client, 'revoke_token', { token_id, confirm: token.confirm }))).toBe('conflict')
    expect(code(await call(client, 'delete_group', { group_id, confirm: group.confirm }))).toBe('conflict')
    expect(await state()).toBe(before)
  })

  it('of two confirms at once one takes effect', async () => {
    const { token_id } = await weather()
    const { confirm } = await show(client, 'revoke_token', { token_id })
    const rows = await trailOf(server.instance, async () => {
      const done = await Promise.all([1, 2].map(() => call(client, 'revoke_token', { token_id, confirm })))
      expect(done.map(code).toSorted()).toEqual(['conflict', undefined])
    })
    expect(rows).toHaveLength(1)
  })

  it('a person who can be asked is told the blast radius, and their yes carries it out', async () => {
    const { token_id } = await weather()
    const asked: string[] = []
    const by = await person(({ message, requestedSchema }) => {
      asked.push(message)
      expect(requestedSchema).toEqual({
        type: 'object',
        properties: { confirm: { type: 'boolean', title: 'Carry it out' } },
        required: ['confirm'],
      })
      return { action: 'accept', content: { confirm: true } }
    })
    const rows = await trailOf(server.instance, async () => {
      expect((await call(by, 'revoke_token', { token_id })).structuredContent).toMatchObject({
        changed: true,
      })
    })
    expect(asked).toEqual([
      expect.stringMatching(/^Revoke a token: "ci" \(.*\)\. 1 token loses 1 server \(.*\)\. Never used\.$/),
    ])
    expect(rows.map(({ action }) => action)).toEqual(['revoke_token'])
    expect(rows[0]?.details).toContain('"confirmed_by":"person"')
  })

  it.each<[string, Person]>([
    ['declines', () => ({ action: 'decline' })],
    ['closes the question', () => ({ action: 'cancel' })],
    ['leaves the box empty', () => ({ action: 'accept', content: { confirm: false } })],
    ['sends a form of something else', () => ({ action: 'accept', content: {} })],
    ['has a client that fails', () => Promise.reject(new Error('broken'))],
  ])('nothing is changed when the person %s', async (_, answer) => {
    const { token_id } = await weather()
    const by = await person(answer)
    const before = await state()
    const refused = await call(by, 'revoke_token', { token_id })
    expect([code(refused), text(refused)]).toEqual([
      'conflict',
      expect.stringContaining('nothing was changed'),
    ])
    expect(await state()).toBe(before)
  })

  it('what changes while the person thinks is not covered by their yes', async () => {
    const { token_id } = await weather()
    const by = await person(async () => {
      await server.instance.call('admin', set_token_enabled, { token_id, enabled: false })
      return { action: 'accept', content: { confirm: true } }
    })
    expect(code(await call(by, 'revoke_token', { token_id }))).toBe('conflict')
  })

  it('a confirm for an environment does not remove the next one of that name', async () => {
    const { project_id } = await plantProject(server.instance)
    const make = (name: string) => server.instance.call('admin', set_environment, { project_id, name })
    await make('first')
    await make('staging')
    const args = { project_id, name: 'staging' }
    const { confirm } = await show(client, 'delete_environment', args)
    expect(code(await call(client, 'delete_environment', { ...args, confirm }))).toBeUndefined()
    await make('staging')
    expect(code(await call(client, 'delete_environment', { ...args, confirm }))).toBe('conflict')
  })

  it('R13: who may not, is told so before anything is shown, and it is on record', async () => {
    const { token_id } = await weather()
    const reader = await server.client(await server.key('reader'))
    for (const more of [{}, { dry_run: true }, { confirm: '0000000000000000' }]) {
      const rows = await trailOf(server.instance, async () => {
        expect(code(await call(reader, 'revoke_token', { token_id, ...more }))).toBe('forbidden')
      })
      expect(rows).toMatchObject([{ action: 'revoke_token', outcome: 'denied' }])
    }
  })
})
