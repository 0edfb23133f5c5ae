import { request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { get_token } from '../../tools/tokens/get_token.ts'
import { databases } from '../support/databases.ts'
import { makeToken, plantKey } from '../support/world.ts'
import { bothTypes, initialize, type McpServer, rpcCall, startMcp, until } from './server.ts'

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

const listen = {
  jsonrpc: '2.0',
  id: 1,
  method: 'subscriptions/listen',
  params: { _meta: meta, notifications: { resourceSubscriptions: ['tokens://expiring'] } },
}

const asking = {
  ...initialize,
  params: { ...initialize.params, capabilities: { elicitation: {} } },
}

describe.each(databases)('clients that leave or stay at the wrong moment, on $name', (database) => {
  let server: McpServer
  let streams: AbortController[] = []
  afterEach(async () => {
    for (const stream of streams) stream.abort()
    streams = []
    await server.close()
  })

  const start = async (options: Parameters<typeof startMcp>[0] = {}) => {
    server = await startMcp(options, database)
  }

  const inSecond = (key: string) => ({
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'subscriptions/listen',
    ...bothTypes,
  })

  /** Opens a stream of the second era and answers its status. */
  async function follow(key: string): Promise<number> {
    const stream = new AbortController()
    streams.push(stream)
    const body = JSON.stringify(listen)
    const headers = inSecond(key)
    return (await fetch(server.url, { method: 'POST', headers, body, signal: stream.signal })).status
  }

  /** Sends a request and is gone so many ms later. */
  function leave(after: number, headers: Record<string, string>, body: string): Promise<void> {
    return new Promise((resolve) => {
      const sent = request(server.url, { method: 'POST', headers, agent: false })
      sent.on('error', () => undefined)
      sent.on('close', () => resolve())
      sent.end(body)
      setTimeout(() => sent.destroy(), after)
    })
  }

  /** A session whose client can be asked, with a call in it that waits for a person. */
  async function waiting(key: string, token_id: string): Promise<{ session: string; left: AbortController }> {
    const opened = await server.send(key, asking, bothTypes)
    await opened.text()
    const session = opened.headers.get('mcp-session-id') ?? ''
    const left = new AbortController()
    streams.push(left)
    const answer = await fetch(server.url, {
      method: 'POST',
      signal: left.signal,
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'mcp-session-id': session,
        ...bothTypes,
      },
      body: JSON.stringify(rpcCall(1, 'revoke_token', { token_id })),
    })
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    return { session, left }
  }

  it('R26: who leaves while a stream of changes opens takes no place of it with them', async () => {
    await start()
    const key = await server.key('reader')
    for (let at = 0; at < 60; at++) await leave(at % 6, inSecond(key), JSON.stringify(listen))
    await until(async () => (await follow(key)) === 200)
  })

  it('R26: of 40 streams of changes opened at once ten are open, and those that end make room', async () => {
    await start()
    const key = await server.key('reader')
    const statuses = await Promise.all(Array.from({ length: 40 }, () => follow(key)))
    expect(statuses.filter((status) => status === 200)).toHaveLength(10)
    for (const stream of streams) stream.abort()
    await until(async () => (await follow(key)) === 200)
  })

  it('who leaves in the middle of a question has agreed to nothing, and the session is idle again', async () => {
    await start({ maxSessions: 2 })
    const key = await server.key('operator')
    const { id } = await makeToken(server.instance)
    const { left } = await waiting(key, id)
    const { left: other } = await waiting(key, id)
    const opened = async () => {
      const answer = await server.send(key, initialize, bothTypes)
      await answer.text()
      return answer.status
    }
    expect(await opened()).toBe(503)
    left.abort()
    other.abort()
    await until(async () => (await opened()) === 200)
    const { token } = await server.instance.call('reader', get_token, { token_id: id })
    expect(token.status).toBe('active')
  })

  it('R29: who keeps a call open in every session does not shut the others out', async () => {
    await start({ maxSessions: 4 })
    const greedy = await server.key('operator')
    const { id } = await makeToken(server.instance)
    for (let at = 0; at < 4; at++) await waiting(greedy, id)
    expect((await server.send(greedy, initialize, bothTypes)).status).toBe(503)
    const { secret } = await plantKey(server.instance, 'management', { role: 'admin' })
    const opened = await server.send(secret, initialize, bothTypes)
    expect(opened.status).toBe(200)
    // Who holds more gets no room at the cost of who holds less.
    const theirs = { ...bothTypes, 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    await server.send(greedy, initialize, bothTypes)
    const ping = { jsonrpc: '2.0', id: 5, method: 'ping' }
    expect((await server.send(secret, ping, theirs)).status).toBe(200)
  })
})
