import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { CreateMessageRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeFence } from '../../src/gateway/fence.ts'
import { makeAgents } from '../../src/gateway/http/agents.ts'
import { openHttp } from '../../src/gateway/http/open.ts'
import { asTransport, talk } from './conversation.ts'
import { type Everything, startEverything } from './everything.ts'

describe('the everything server over streamable HTTP', () => {
  let server: Everything
  let client: Client
  const agents = makeAgents()
  const logged: unknown[] = []

  beforeAll(async () => {
    server = await startEverything('streamableHttp')
    client = new Client({ name: 'test', version: '1' }, { capabilities: { sampling: {}, roots: {} } })
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      model: 'none',
      role: 'assistant',
      content: { type: 'text', text: 'sampled here' },
    }))
    client.setRequestHandler(ListRootsRequestSchema, () => ({
      roots: [{ uri: 'file:///here', name: 'here' }],
    }))
    client.fallbackNotificationHandler = async (notification) => void logged.push(notification)
    await client.connect(
      asTransport(
        openHttp(
          { slug: 'everything', url: server.url, headers: {} },
          { fence: makeFence({ allowed: ['127.0.0.1'] }), agents, timeoutMs: 10_000 },
        ),
      ),
    )
  })

  afterAll(async () => {
    await client?.close()
    agents.close()
    await server?.stop()
  })

  it('lists what it has and answers a call', async () => {
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('echo')
    const answer = await client.callTool({ name: 'echo', arguments: { message: 'grüße 🦊' } })
    expect(answer.content).toEqual([{ type: 'text', text: 'Echo: grüße 🦊' }])
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(2)
    expect((await client.listResources()).resources.length).toBeGreaterThan(2)
  })

  it('brings the progress of a call while it runs', async () => {
    const progress: number[] = []
    await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 4 } },
      undefined,
      { onprogress: ({ progress: at }) => void progress.push(at) },
    )
    expect(progress).toEqual([1, 2, 3, 4])
  })

  it('carries a request of the server to the client and its answer back', async () => {
    const answer = await client.callTool({
      name: 'trigger-sampling-request',
      arguments: { prompt: 'say something', maxTokens: 10 },
    })
    expect(JSON.stringify(answer.content)).toContain('sampled here')
  })

  it('brings the notifications that belong to no request', async () => {
    await client.callTool({ name: 'toggle-simulated-logging', arguments: {} })
    await expect.poll(() => JSON.stringify(logged), { timeout: 15_000 }).toContain('notifications/message')
  })

  it('ends the session at the server when it is closed', async () => {
    const { conduit, ask, initialize } = await talk(server.url, { agents })
    await initialize()
    expect(await ask('tools/list')).toHaveProperty('result')
    await conduit.close()
    await expect(conduit.send({ jsonrpc: '2.0', id: 9, method: 'ping' })).rejects.toThrow('closed')
  })

  it('tells that the session has ended when the server was started anew', async () => {
    const other = await startEverything('streamableHttp')
    const { ask, initialize, heard, conduit } = await talk(other.url, { agents })
    await initialize()
    await other.stop()
    const again = await startEverything('streamableHttp', other.port)
    try {
      expect(await ask('tools/list')).toMatchObject({ problem: 'session_ended' })
      expect(heard.closed).toHaveLength(1)
      expect(heard.failed).toEqual([])
    } finally {
      await conduit.close()
      await again.stop()
    }
  })
})
