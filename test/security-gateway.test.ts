import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStream } from '../src/gateway/exchange.ts'
import { type Guarded, openGuarded } from './gateway/guarded.ts'
import {
  event,
  json,
  result,
  type Seen,
  startUpstream,
  stream,
  type Upstream,
  usual,
} from './gateway/upstream.ts'
import { databases } from './support/databases.ts'

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: { roots: {} },
    clientInfo: { name: 'raw', version: '1' },
  },
}
const request = (method: string, params: object = {}, id: number | string = 1) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
})
const call = (name: string, args: object = {}, id: number | string = 1) =>
  request('tools/call', { name, arguments: args }, id)
const streams = { accept: 'application/json, text/event-stream' }
const keyword = { enabled: true, block: ['keyword'], additional_config: { keywords: ['bluebird'] } }

describe.each(databases)('attacks on the gateway, on $name', (database) => {
  let guarded: Guarded
  const hostile: Upstream[] = []
  beforeAll(async () => {
    guarded = await openGuarded(database, { upstreamTimeout: 5_000 })
  })
  afterAll(async () => {
    await guarded.close()
    for (const one of hostile) await one.close()
  })

  /** A server of that name whose words an attacker chooses. */
  async function behind(name: string, answer: Parameters<typeof usual>[0], guardrails: object = {}) {
    const upstream = await startUpstream(usual(answer))
    hostile.push(upstream)
    const { json } = await guarded.call('add_config_server', {
      config_id: guarded.configId,
      name,
      runs: { url: upstream.url },
    })
    const off = { enabled: false }
    const sides = { input: off, output: off, ...guardrails }
    const server_id = json.server.id
    await guarded.call('set_server_guardrails', { config_id: guarded.configId, server_id, ...sides })
    return { upstream, path: `/servers/${json.server.slug}/mcp`, slug: json.server.slug as string }
  }
  const said = (upstream: Upstream) => upstream.seen.flatMap(({ message }: Seen) => message?.method ?? [])

  async function open(path: string, secret: string, params: object = initialize.params) {
    const answer = await guarded.rpc(path, secret, { ...initialize, params })
    expect(answer.status, answer.text).toBe(200)
    return { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' }
  }

  it('R9: a notification carries no request past rules, limits and guardrails', async () => {
    const { upstream, path } = await behind('told', (_, response) => json(response, result(1)), {
      input: keyword,
    })
    const { secret } = await guarded.token({ all_servers: true, tool_rules: { deny: ['delete_all'] } })
    const session = await open(path, secret)
    const tell = (method: string, params: object = {}) =>
      guarded.rpc(path, secret, { jsonrpc: '2.0', method, params }, session)
    await tell('tools/call', { name: 'delete_all', arguments: {} })
    await tell('notifications/tools/call', { name: 'delete_all', arguments: {} })
    await tell('notifications/progress', { progressToken: 1, progress: 1, message: 'about bluebird' })
    await tell('notifications/roots/list_changed')
    await expect.poll(() => said(upstream)).toContain('notifications/roots/list_changed')
    expect(said(upstream)).toEqual(['initialize', 'notifications/roots/list_changed'])
  })

  it('two calls of one id are never taken for each other, also while their server is being opened', async () => {
    const { path, slug } = await behind('twice', ({ message }, response) => {
      setTimeout(() => json(response, result(message.id, {})), 300)
    })
    const { secret } = await guarded.token({ all_servers: true })
    const session = await open('/gateway/mcp', secret)
    const [first, second] = await Promise.all(
      [call(`${slug}__x`), request('prompts/get', { name: `${slug}__x` })].map((message) =>
        guarded.rpc('/gateway/mcp', secret, message, session),
      ),
    )
    expect([first?.status, second?.status].sort()).toEqual([200, 400])
    expect(path).toContain(slug)
  })

  it('what a server says during a request without a session is checked as well', async () => {
    const { path } = await behind(
      'lone',
      ({ message }, response) => {
        stream(response)
        const progressToken = message.params?._meta?.progressToken
        const method = 'notifications/progress'
        const params = { progressToken, progress: 1, message: 'about bluebird' }
        response.write(event({ jsonrpc: '2.0', method, params }))
        response.write(
          event({
            jsonrpc: '2.0',
            method: 'notifications/message',
            params: { level: 'info', data: 'bluebird' },
          }),
        )
        setTimeout(() => response.end(event(result(message.id, { content: [] }))), 50)
      },
      { output: keyword },
    )
    const { secret } = await guarded.token({ all_servers: true })
    const params = { name: 'x', arguments: {}, _meta: { progressToken: 7 } }
    const { text } = await guarded.rpc(path, secret, request('tools/call', params), streams)
    expect(text).toContain('"result"')
    expect(text).not.toContain('bluebird')
  })

  it.each([
    { code: -32000, message: 'about bluebird', data: {} },
    { code: -32020, message: 'x', data: { server: 'alpha', reason: 'bluebird' } },
    { code: -32020, message: 'x', data: { reason: { toString: 1, bluebird: 'bluebird' } } },
  ])('a refusal of initialize is checked, and never taken for a word of ours: %j', async (error) => {
    const answer = ({ message, method }: Seen, response: ServerResponse) =>
      method === 'POST'
        ? json(response, { jsonrpc: '2.0', id: message.id, error })
        : response.writeHead(405).end()
    const upstream = await startUpstream(answer)
    hostile.push(upstream)
    const { json: added } = await guarded.call('add_config_server', {
      config_id: guarded.configId,
      name: `refusing ${hostile.length}`,
      runs: { url: upstream.url },
    })
    const ids = { config_id: guarded.configId, server_id: added.server.id }
    await guarded.call('set_server_guardrails', { ...ids, input: { enabled: false }, output: keyword })
    const { secret } = await guarded.token({ servers: [added.server.id] })
    const path = `/servers/${added.server.slug}/mcp`
    for (const [at, message] of [
      [path, initialize],
      [path, call('x')],
      ['/gateway/mcp', request('tools/list')],
    ] as const) {
      const { status, text } = await guarded.rpc(at, secret, message)
      expect([status, text.includes('bluebird')]).toEqual([200, false])
      if (at === path) expect(JSON.parse(text).error.code).not.toBe(-32020)
    }
    await guarded.call('delete_config_server', ids)
  })

  it('what a client says of itself passes the guardrails too', async () => {
    const { upstream, path } = await behind('greeted', (_, response) => json(response, result(1)), {
      input: keyword,
    })
    const { secret } = await guarded.token({ all_servers: true })
    const params = { ...initialize.params, clientInfo: { name: 'bluebird', version: '1' } }
    const { json: answer } = await guarded.rpc(path, secret, { ...initialize, params })
    expect(answer.error.code).toBe(-32003)
    expect(JSON.stringify(upstream.seen)).not.toContain('bluebird')
  })

  it('a rule for URIs holds for every spelling of one', async () => {
    const { upstream, path } = await behind('spelled', ({ message }, response) =>
      json(response, result(message.id, { contents: [] })),
    )
    const read = async (tool_rules: object, uri: string) => {
      const { secret } = await guarded.token({ all_servers: true, tool_rules })
      return (await guarded.rpc(path, secret, request('resources/read', { uri }))).status
    }
    const allow = { allow: ['*/file:///open/*'] }
    const deny = { deny: ['*/file:///closed/*'] }
    for (const uri of [
      'file:///open/1',
      'file:///open/a%20b',
      'FILE:///open/1'.toLowerCase(),
      'file:///open/a b',
    ])
      expect([uri, await read(allow, uri), await read(deny, uri)]).toEqual([uri, 200, 200])
    const asked = said(upstream).length
    const up = ['..', '%2e%2e', '.%2E', '..%2f', '%252e%252e%252f', '.\t.', '..\\']
    for (const uri of up.map((step) => `file:///open/${step}/closed/1`))
      expect([uri, await read(allow, uri), await read(deny, uri)]).toEqual([uri, 403, 403])
    for (const uri of [
      'FILE:///closed/1',
      ' file:///closed/1',
      'file:///%63losed/1',
      'file:///%2563losed/1',
      'file:/closed/1',
    ])
      expect([uri, await read(deny, uri)]).toEqual([uri, 403])
    expect(said(upstream).length).toBe(asked)
  })

  it('a client that does not read its ended stream cannot end the process, and is let go of', async () => {
    const faults: unknown[] = []
    const server = createServer((_, response) => {
      response.on('error', (error) => faults.push(error))
      const ended = openStream(response)
      for (let turn = 0; turn < 8; turn++) ended.send({ text: 'x'.repeat(1024 * 1024) })
      ended.end()
      ended.pulse()
      setTimeout(() => ended.pulse(), 100)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    socket.pause()
    await sleep(300)
    expect(faults).toEqual([])
    const open = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)))
    expect(await open()).toBe(1)
    await expect.poll(open, { timeout: 12_000 }).toBe(0)
    server.close()
  }, 20_000)
})
