import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { makeFence } from '../../src/gateway/fence.ts'
import { makeAgents } from '../../src/gateway/http/agents.ts'
import { openHttp } from '../../src/gateway/http/open.ts'
import { openCanary } from './canary.ts'
import { asTransport, talk as openTalk, type TalkOptions } from './conversation.ts'
import { startEverything } from './everything.ts'
import { event, result, startUpstream, stream, type Upstream } from './upstream.ts'

const agents = makeAgents()
const open: Upstream[] = []

afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
afterAll(() => agents.close())

const talk = (url: string, options: TalkOptions = {}) => openTalk(url, { agents, ...options })

type Response = import('node:http').ServerResponse

/** An older server; `say` answers what is posted, on the stream. */
async function older(
  endpoint: string,
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  say: (message: any, out: Response, response: Response) => void,
  status = 404,
) {
  let out: Response | undefined
  const server = await startUpstream((seen, response, request) => {
    if (seen.method === 'GET') {
      out = response
      stream(response)
      return response.write(endpoint)
    }
    if (request.url === '/mcp') return response.writeHead(status).end('<html>not here</html>')
    expect(request.url).toBe('/message?sessionId=1')
    say(seen.message, out!, response)
  })
  open.push(server)
  return server
}

const usualEndpoint = 'event: endpoint\ndata: /message?sessionId=1\n\n'

const answering: Parameters<typeof older>[1] = (message, out, response) => {
  response.writeHead(202).end('Accepted')
  if (message.id !== undefined) out.write(event(result(message.id)))
}

describe('an older server, over HTTP+SSE', () => {
  it('is the everything server, and the official client finds nothing amiss', async () => {
    const server = await startEverything('sse')
    const client = new Client({ name: 'test', version: '1' }, { capabilities: { sampling: {} } })
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      model: 'none',
      role: 'assistant',
      content: { type: 'text', text: 'sampled here' },
    }))
    const target = { slug: 'everything', url: server.url, headers: {} }
    const options = { fence: makeFence({ allowed: ['127.0.0.1'] }), agents, timeoutMs: 10_000 }
    await client.connect(asTransport(openHttp(target, options)))
    const call = (name: string, args: object) => client.callTool({ name, arguments: { ...args } })
    expect(JSON.stringify(await call('echo', { message: 'grüße 🦊' }))).toContain('Echo: grüße 🦊')
    const asked = await call('trigger-sampling-request', { prompt: 'say', maxTokens: 10 })
    expect(JSON.stringify(asked)).toContain('sampled here')
    const progress: number[] = []
    await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 4 } },
      undefined,
      { onprogress: ({ progress: at }) => void progress.push(at) },
    )
    expect(progress).toEqual([1, 2, 3, 4])
    await client.close()
    await server.stop()
  })

  it.each([400, 404, 405])('is recognised by %i to initialize', async (status) => {
    const server = await older(usualEndpoint, answering, status)
    const { initialize, ask, conduit } = await talk(server.url, { headers: { 'x-key': 'k' } })
    expect(await initialize()).toEqual(result(1))
    await conduit.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
    conduit.listen()
    expect(await ask('tools/call')).toEqual(result(2))
    expect(server.seen.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST', 'POST', 'POST'])
    expect(server.seen.map(({ headers }) => headers['x-key'])).toEqual(['k', 'k', 'k', 'k', 'k'])
    await conduit.close()
    await expect(conduit.send({ jsonrpc: '2.0', id: 9, method: 'ping' })).rejects.toMatchObject({
      problem: 'session_ended',
    })
  })

  it('is not looked for behind any other refusal, or behind a later one', async () => {
    for (const status of [401, 403, 406, 500]) {
      const server = await older(usualEndpoint, answering, status)
      expect(await (await talk(server.url)).initialize()).toHaveProperty('problem')
      expect(server.seen).toHaveLength(1)
    }
    const server = await older(usualEndpoint, answering)
    expect(await (await talk(server.url)).ask('tools/list')).toMatchObject({ problem: 'refused' })
    expect(server.seen).toHaveLength(1)
  })

  it('R36: is posted to at its own origin only', async () => {
    const canary = await openCanary()
    for (const place of [
      `http://127.0.0.1:${canary.port}/message`,
      `//127.0.0.1:${canary.port}/message`,
      `http://localhost:${canary.port}/message`,
      'https://public.example/message',
      'file:///etc/passwd',
      'http://[',
    ]) {
      const server = await older(`event: endpoint\ndata: ${place}\n\n`, answering)
      const { initialize, heard } = await talk(server.url)
      expect(await initialize()).toMatchObject({ problem: 'fenced' })
      expect(heard.failed).toHaveLength(1)
    }
    expect(canary.reached()).toBe(0)
    await canary.close()
  })

  it('that does not say where to post is given up in time, with the first refusal', async () => {
    const server = await older(': hello\n\n', answering)
    const { initialize, heard } = await talk(server.url, { timeoutMs: 300 })
    expect(await initialize()).toMatchObject({ problem: 'refused', message: expect.stringContaining('404') })
    expect(heard.failed).toHaveLength(1)
  })

  it('that refuses a message, or stays silent, fails that request', async () => {
    const server = await older(usualEndpoint, (message, out, response) => {
      if (message.method === 'tools/call') return response.writeHead(500).end()
      if (message.method === 'ping') return response.writeHead(202).end()
      answering(message, out, response)
    })
    const { initialize, ask, heard, conduit } = await talk(server.url, { timeoutMs: 400 })
    await initialize()
    expect(await ask('tools/call')).toMatchObject({ problem: 'refused' })
    expect(await ask('ping')).toMatchObject({ problem: 'timeout' })
    expect(await ask('tools/list')).toEqual(result(4))
    await conduit.send({ jsonrpc: '2.0', id: 'x', method: 'ping' })
    conduit.abort('x')
    await new Promise((done) => setTimeout(done, 500))
    expect(heard.failed.map(({ id }) => id)).toEqual([2, 3])
    await conduit.close()
  })

  it('is waited for as long as its stream says something', async () => {
    const server = await older(usualEndpoint, (message, out, response) => {
      if (message.method !== 'tools/call') return answering(message, out, response)
      response.writeHead(202).end()
      let left = 8
      const beat = setInterval(() => {
        left -= 1
        if (left > 0) return out.write(': still here\n\n')
        clearInterval(beat)
        out.write(event(result(message.id)))
      }, 200)
    })
    const { initialize, ask, conduit } = await talk(server.url, { timeoutMs: 1_000 })
    await initialize()
    expect(await ask('tools/call')).toEqual(result(2))
    await conduit.close()
  })

  it('that ends its stream has ended the conversation: told once', async () => {
    for (const end of ['end', 'destroy'] as const) {
      const server = await older(usualEndpoint, (message, out, response) => {
        if (message.method !== 'tools/call') return answering(message, out, response)
        response.writeHead(202).end()
        setTimeout(() => out[end](), 20)
      })
      const { initialize, ask, heard, conduit } = await talk(server.url)
      await initialize()
      expect(['session_ended', 'crashed']).toContain(
        ((await ask('tools/call')) as { problem: string }).problem,
      )
      await expect(conduit.send({ jsonrpc: '2.0', method: 'notifications/x' })).rejects.toMatchObject({
        problem: 'session_ended',
      })
      expect(heard).toMatchObject({ failed: [], closed: [expect.anything()] })
    }
  })

  it('that speaks garbage on its stream has ended the conversation', async () => {
    const server = await older(usualEndpoint, (message, out, response) => {
      if (message.method !== 'tools/call') return answering(message, out, response)
      response.writeHead(202).end()
      out.write('event: message\ndata: {"jsonrpc"\n\n')
    })
    const { initialize, ask, heard } = await talk(server.url)
    await initialize()
    expect(await ask('tools/call')).toMatchObject({ problem: 'garbage' })
    expect(heard.closed).toHaveLength(1)
  })
})
