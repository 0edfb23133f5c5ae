import { setTimeout as sleep } from 'node:timers/promises'
import type { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../support/databases.ts'
import { type Guarded, openGuarded } from './guarded.ts'
import { script, soon } from './program.ts'

/** A program that tells all the world what it is asked: as a log message, and as a change of the resource `demo:mine`. */
const gossip = script(`
  import { createInterface } from 'node:readline'
  const say = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }))
  const capabilities = { tools: {}, logging: {}, resources: { subscribe: true } }
  const about = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'gossip', version: '1' } }
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, params } = JSON.parse(line)
    if (id === undefined) continue
    if (method === 'tools/call') {
      say({ method: 'notifications/message', params: { level: 'info', data: params.arguments.text } })
      say({ method: 'notifications/resources/updated', params: { uri: 'demo:mine' } })
    }
    const done = method === 'tools/call' ? { content: [{ type: 'text', text: 'done' }] } : {}
    say({ id, result: method === 'initialize' ? about : done })
  }
`)

const call = (text: string) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'tell', arguments: { text } },
})

describe.each(databases)('a program that several tokens share, on $name', (database) => {
  let guarded: Guarded
  beforeAll(async () => {
    guarded = await openGuarded(database, { allowCommands: true })
  })
  afterAll(() => guarded.close())

  /** A fresh server of that program, and a client of a token of its own whose stream stands. */
  async function alone(name: string) {
    const { json } = await guarded.call('create_server', { name })
    await guarded.call('set_server_upstream', { server_id: json.server.id, runs: gossip })
    const path = `/servers/${json.server.slug}/mcp`
    return { path, ...(await listening(path)) }
  }

  async function listening(path: string) {
    const { secret } = await guarded.token({ all_servers: true })
    const client = await guarded.connect(path, secret)
    const heard: unknown[] = []
    client.fallbackNotificationHandler = async ({ params }) =>
      void heard.push((params as { data?: string; uri?: string }).data ?? params?.['uri'])
    return { secret, client, heard }
  }

  it('its only client hears what it says beside the answers', async () => {
    const { client, heard } = await alone('only')
    await client.callTool({ name: 'tell', arguments: { text: 'of the only one' } })
    await soon(() => heard.includes('of the only one'))
  })

  it('what it says about a request without a session is told to no session of another token', async () => {
    const { path, client, heard } = await alone('lone')
    const other = await guarded.token({ all_servers: true })
    expect((await guarded.rpc(path, other.secret, call('of the lone one'))).status).toBe(200)
    await client.callTool({ name: 'tell', arguments: { text: 'afterwards' } })
    await sleep(200)
    expect(heard).toEqual([])
  })

  it('what it says about a client that is gone is told to nobody who stays', async () => {
    const { path, client, heard } = await alone('gone')
    const guest = await listening(path)
    await guest.client.subscribeResource({ uri: 'demo:mine' })
    await guest.client.callTool({ name: 'tell', arguments: { text: 'of the guest' } })
    await soon(() => guest.heard.includes('demo:mine'))
    await (guest.client.transport as StreamableHTTPClientTransport).terminateSession()
    await client.callTool({ name: 'tell', arguments: { text: 'of who stays' } })
    await sleep(200)
    expect(heard).toEqual([])
    expect(guest.heard).toEqual(['demo:mine'])
  })
})
