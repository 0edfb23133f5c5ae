import { afterEach, describe, expect, it } from 'vitest'
import type { McpHttpOptions } from '../../src/mcp/http.ts'
import {
  bothTypes,
  holdLock,
  initialize,
  listCall,
  type McpServer,
  messages,
  openSession,
  rpcCall,
  startMcp,
  until,
} from './server.ts'

let server: McpServer
afterEach(() => server.close())

const start = async (options?: Partial<McpHttpOptions>) => {
  server = await startMcp(options)
}

/** Calls in flight, seen from outside: the write lock is held, so that they wait. */
const inSession = (id: string) => ({ 'mcp-session-id': id, ...bothTypes })

/** A call that was sent waits for the lock by then. */
const underway = () => new Promise((resolve) => setTimeout(resolve, 200))

describe('sessions of MCP over HTTP', () => {
  it('initialize opens one, calls in it answer by JSON, DELETE ends it and its id is unknown from then on', async () => {
    await start()
    const key = await server.key('operator')
    const id = await openSession(server, key)
    const answer = await server.send(key, listCall, inSession(id))
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await messages(answer)).toMatchObject([{ id: 1, result: {} }])
    expect((await server.send(key, '', inSession(id), 'DELETE')).status).toBe(204)
    const gone = await server.send(key, listCall, inSession(id))
    expect([gone.status, await gone.json()]).toMatchObject([404, { error: { message: 'Session not found' } }])
  })

  it('mctx 9: a client in a session that takes no event stream is answered by one JSON body', async () => {
    await start()
    const key = await server.key('operator')
    const opened = await server.send(key, initialize, { accept: '*/*' })
    expect(opened.headers.get('content-type')).toBe('application/json')
    const id = opened.headers.get('mcp-session-id') ?? ''
    const answer = await server.send(key, rpcCall(7, 'list_groups'), { 'mcp-session-id': id, accept: '*/*' })
    expect(await answer.json()).toMatchObject({ id: 7, result: { structuredContent: { groups: [] } } })
    const note = { jsonrpc: '2.0', method: 'notifications/initialized' }
    expect((await server.send(key, note, { 'mcp-session-id': id })).status).toBe(202)
  })

  it('another credential that names the session is told the same as for an unknown one', async () => {
    await start()
    const id = await openSession(server, await server.key('operator'))
    for (const method of ['POST', 'GET', 'DELETE']) {
      const stolen = await server.send(await server.key('admin'), listCall, inSession(id), method)
      const unknown = await server.send(await server.key('admin'), listCall, inSession('nothing'), method)
      expect([stolen.status, await stolen.text()], method).toEqual([unknown.status, await unknown.text()])
      expect(stolen.status).toBe(404)
    }
    expect((await server.send(undefined, listCall, inSession(id))).status).toBe(401)
    expect((await server.send(await server.key('operator'), listCall, inSession(id))).status).toBe(200)
  })

  it('a session ends when it was idle for its time', async () => {
    await start({ idleMs: 60_000 })
    const key = await server.key('operator')
    const id = await openSession(server, key)
    server.instance.clock.pass(59_000)
    expect((await server.send(key, listCall, inSession(id))).status).toBe(200)
    server.instance.clock.pass(61_000)
    expect((await server.send(key, listCall, inSession(id))).status).toBe(404)
  })

  it('at the cap the longest idle session of whoever holds the most ends; others keep theirs', async () => {
    await start({ maxSessions: 3 })
    const modest = await openSession(server, await server.key('admin'))
    const greedy: string[] = []
    for (let made = 0; made < 4; made++) {
      server.instance.clock.pass(1_000)
      greedy.push(await openSession(server, await server.key('operator')))
    }
    const alive = await Promise.all(
      greedy.map(
        async (id) => (await server.send(await server.key('operator'), listCall, inSession(id))).status,
      ),
    )
    expect(alive).toEqual([404, 404, 200, 200])
    expect((await server.send(await server.key('admin'), listCall, inSession(modest))).status).toBe(200)
  })

  it('at the cap with a call in flight in every session a new one is refused with 503 and when to come back', async () => {
    await start({ maxSessions: 1 })
    const key = await server.key('operator')
    const id = await openSession(server, key)
    const lock = holdLock(server.instance)
    const running = server.send(key, rpcCall(1, 'create_token', { name: 'slow' }), inSession(id))
    await underway()
    const refused = await server.send(key, initialize, bothTypes)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    lock.release()
    expect(await messages(await running)).toMatchObject([
      { result: { structuredContent: { token: { name: 'slow' } } } },
    ])
  })

  it('switched off, nothing keeps a session and every request stands alone', async () => {
    await start({ sessions: 'off' })
    const key = await server.key('operator')
    const opened = await server.send(key, initialize, bothTypes)
    expect(opened.headers.get('mcp-session-id')).toBeNull()
    expect(await opened.json()).toMatchObject({ result: { serverInfo: { name: 'tokenwright' } } })
    expect((await server.send(key, listCall, inSession('of another node'))).status).toBe(200)
    expect((await server.send(key, '', bothTypes, 'GET')).status).toBe(405)
    expect((await server.send(key, '', bothTypes, 'DELETE')).status).toBe(405)
    const client = await server.client(key)
    expect((await client.listTools()).tools).toHaveLength(15)
  })

  it('R26: one credential holds at most ten standing streams, and a stream that ends makes room', async () => {
    await start()
    const key = await server.key('operator')
    const ends: AbortController[] = []
    const listen = async () => {
      const abort = new AbortController()
      const headers = { authorization: `Bearer ${key}`, ...inSession(await openSession(server, key)) }
      const answer = await fetch(server.url, { headers, signal: abort.signal })
      if (answer.ok) ends.push(abort)
      return answer
    }
    for (let made = 0; made < 10; made++) expect((await listen()).status).toBe(200)
    const eleventh = await listen()
    expect([eleventh.status, eleventh.headers.get('retry-after')]).toEqual([429, '60'])
    const other = await openSession(server, await server.key('admin'))
    const abort = new AbortController()
    const headers = { authorization: `Bearer ${await server.key('admin')}`, ...inSession(other) }
    expect((await fetch(server.url, { headers, signal: abort.signal })).status).toBe(200)
    ends[0]?.abort()
    await until(async () => (await listen()).ok)
    for (const end of [...ends, abort]) end.abort()
  })
})

describe('R17: answers never cross and none is left out', () => {
  it('200 clients at once get their own answers, with and without a session', async () => {
    await start()
    const key = await server.key('operator')
    const sessions = await Promise.all(Array.from({ length: 100 }, () => openSession(server, key)))
    const clients = [...sessions.map(inSession), ...Array.from({ length: 100 }, () => ({}))]
    const mixed: unknown[] = []
    await Promise.all(
      clients.map(async (headers, client) => {
        for (let round = 0; round < 50; round++) {
          const nonce = `nonce_${client}_${round}`
          // The same ids are used by all of them.
          const answer = await server.send(key, rpcCall(round, 'list_audit_events', { [nonce]: 1 }), headers)
          const text = await answer.text()
          if (!text.includes(`${nonce};`) || !text.includes(`"id":${round}`)) mixed.push([nonce, text])
        }
      }),
    )
    expect(mixed).toEqual([])
  }, 120_000)

  it('tokens made at once carry the name their caller gave', async () => {
    await start()
    const key = await server.key('operator')
    const names = await Promise.all(
      Array.from({ length: 100 }, async (_, client) => {
        const answer = await server.send(key, rpcCall(1, 'create_token', { name: `nonce ${client}` }))
        return ((await answer.json()) as { result: { structuredContent: { token: { name: string } } } })
          .result.structuredContent.token.name
      }),
    )
    expect(names).toEqual(names.map((_, client) => `nonce ${client}`))
  })

  it('a call cancelled in its session is answered with an error at once', async () => {
    await start()
    const key = await server.key('operator')
    const id = await openSession(server, key)
    const lock = holdLock(server.instance)
    for (const accept of [bothTypes.accept, 'application/json']) {
      const running = server.send(key, rpcCall(1, 'create_token', { name: 'slow' }), {
        ...inSession(id),
        accept,
      })
      await new Promise((resolve) => setTimeout(resolve, 100))
      const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
      expect((await server.send(key, cancel, inSession(id))).status).toBe(202)
      const text = await (await running).text()
      expect(text).toContain('"error":{"code":-32800')
      expect(text).toContain('It may have been carried out')
    }
    lock.release()
    expect((await server.send(key, listCall, inSession(id))).status).toBe(200)
  })

  it('calls in flight are answered when their session is deleted', async () => {
    await start()
    const key = await server.key('operator')
    const id = await openSession(server, key)
    const lock = holdLock(server.instance)
    const running = [1, 2, 3].map((call) =>
      server.send(key, rpcCall(call, 'create_token', { name: 'slow' }), inSession(id)),
    )
    await underway()
    expect((await server.send(key, '', inSession(id), 'DELETE')).status).toBe(204)
    const answers = await Promise.all((await Promise.all(running)).map(messages))
    expect(answers).toMatchObject([1, 2, 3].map((call) => [{ id: call, error: { code: -32000 } }]))
    lock.release()
  })

  it('calls in flight are answered when the server closes, with and without a session', async () => {
    await start()
    const key = await server.key('operator')
    const id = await openSession(server, key)
    const lock = holdLock(server.instance)
    const calls = [inSession(id), { ...inSession(id), accept: '*/*' }, {}, bothTypes].map((headers, call) =>
      server
        .send(key, rpcCall(call, 'create_token', { name: 'slow' }), headers)
        .then((answer) => answer.text()),
    )
    await new Promise((resolve) => setTimeout(resolve, 200))
    await server.closeMcp()
    for (const text of await Promise.all(calls)) expect(text).toContain('"code":-32000')
    lock.release()
  })

  it('a server that closes lets a call in flight end first', async () => {
    await start()
    const key = await server.key('operator')
    const lock = holdLock(server.instance)
    const running = server.send(key, rpcCall(1, 'create_token', { name: 'in time' }), bothTypes)
    await new Promise((resolve) => setTimeout(resolve, 100))
    setTimeout(lock.release, 300)
    await server.closeMcp()
    expect(await (await running).json()).toMatchObject({
      result: { structuredContent: { token: { name: 'in time' } } },
    })
  })

  it('an id that is still in use in its session is refused, so that the first call keeps its answer', async () => {
    await start()
    const key = await server.key('operator')
    const id = await openSession(server, key)
    const lock = holdLock(server.instance)
    const first = server.send(key, rpcCall(1, 'create_token', { name: 'first' }), inSession(id))
    await underway()
    expect((await server.send(key, rpcCall(1, 'list_groups'), inSession(id))).status).toBe(400)
    lock.release()
    expect(await messages(await first)).toMatchObject([
      { result: { structuredContent: { token: { name: 'first' } } } },
    ])
  })
})
