import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { databases } from '../support/databases.ts'
import { makeToken, setPolicy, trailOf } from '../support/world.ts'
import { confirmed, type McpServer, startMcp } from './server.ts'

describe.each(databases)('the budget of destructive operations on $name', (database) => {
  let server: McpServer
  beforeEach(async () => {
    server = await startMcp({ toolsets: ['bulk'] }, database)
  })
  afterEach(() => server.close())

  const code = ({ _meta }: CallToolResult) => _meta?.['tokenwright/code']
  async function revoke(client: Client): Promise<CallToolResult> {
    const { id } = await makeToken(server.instance)
    return (await confirmed(client, 'revoke_token', { token_id: id })) as CallToolResult
  }
  async function spend(client: Client, times: number): Promise<void> {
    for (let at = 0; at < times; at++) expect(code(await revoke(client))).toBeUndefined()
  }

  it('20 an hour is the default: the 21st is refused, in a new session too, and an hour later the next goes', async () => {
    const key = await server.key('operator')
    await spend(await server.client(key), 20)
    const again = await server.client(key)
    const rows = await trailOf(server.instance, async () => {
      const refused = await revoke(again)
      expect(code(refused)).toBe('rate_limited')
      expect((refused.content[0] as { text: string }).text).toMatch(
        /more than 20 destructive operations in an hour; nothing was changed\. .*tokenwright settings set destructive_per_hour/,
      )
    })
    expect(rows.map(({ action }) => action)).toEqual(['create_token'])
    expect(code(await revoke(await server.client(await server.key('admin'))))).toBeUndefined()
    server.instance.clock.pass(3_600_001)
    expect(code(await revoke(again))).toBeUndefined()
  })

  it('dry runs, refused calls and other faces cost nothing', async () => {
    await setPolicy(server.instance, { destructive_per_hour: 1 })
    const client = await server.client(await server.key('operator'))
    const { id: token_id } = await makeToken(server.instance)
    for (let at = 0; at < 3; at++) {
      await client.callTool({ name: 'revoke_token', arguments: { token_id, dry_run: true } })
      await client.callTool({ name: 'revoke_token', arguments: { token_id, confirm: 'no' } })
      await client.callTool({ name: 'revoke_token', arguments: { token_id } })
    }
    await spend(client, 1)
    expect(code(await revoke(client))).toBe('rate_limited')
    await setPolicy(server.instance, { destructive_per_hour: null })
    await spend(client, 3)
  })

  it('only a person lifts it, for as many again; a model has no argument for it', async () => {
    await setPolicy(server.instance, { destructive_per_hour: 2 })
    const key = await server.key('operator')
    const mute = await server.client(key)
    await spend(mute, 2)
    const { id: token_id } = await makeToken(server.instance)
    const forged = { token_id, lift: true, confirm: 'yes' }
    expect(code((await mute.callTool({ name: 'revoke_token', arguments: forged })) as CallToolResult)).toBe(
      'invalid_input',
    )
    const asked: string[] = []
    let yes = false
    const client = await server.client(key, ({ message, requestedSchema }) => {
      asked.push(message)
      const names = Object.keys((requestedSchema as { properties: object }).properties)
      const content = Object.fromEntries(names.map((name) => [name, name === 'lift' ? yes : true]))
      return { action: 'accept', content }
    })
    expect(code(await revoke(client))).toBe('conflict')
    expect(asked.at(-1)).toMatch(/It would be more than 2 destructive operations in an hour, which only you/)
    yes = true
    await spend(client, 1)
    expect(asked).toHaveLength(2)
    // Lifted for two in all: one more needs no question, the next does, and who cannot be asked is refused.
    await spend(mute, 1)
    expect(code(await revoke(mute))).toBe('rate_limited')
    const direct = await client.callTool({ name: 'revoke_token', arguments: { token_id } })
    expect(direct.structuredContent).toMatchObject({ changed: true })
    expect(asked).toHaveLength(3)
  })

  it('many tokens count one each, and one in all when a person said yes to them', async () => {
    await setPolicy(server.instance, { destructive_per_hour: 3 })
    const key = await server.key('operator')
    const mute = await server.client(key)
    for (let at = 0; at < 4; at++) await makeToken(server.instance, { name: 'many' })
    const refused = (await confirmed(mute, 'revoke_tokens', { text: 'many' })) as CallToolResult
    expect(code(refused)).toBe('rate_limited')
    expect((refused.content[0] as { text: string }).text).toContain('counts 4 and 3 are left')
    const client = await server.client(key, () => ({ action: 'accept', content: { confirm: true } }))
    const done = await client.callTool({ name: 'revoke_tokens', arguments: { text: 'many' } })
    expect(done.structuredContent).toMatchObject({ revoked: 4 })
    await spend(mute, 2)
    expect(code(await revoke(mute))).toBe('rate_limited')
  })

  it('two calls at the edge do not both go through', async () => {
    await setPolicy(server.instance, { destructive_per_hour: 1 })
    const client = await server.client(await server.key('operator'))
    const both = await Promise.all([revoke(client), revoke(client)])
    expect(both.map(code).toSorted()).toEqual(['rate_limited', undefined])
  })
})
