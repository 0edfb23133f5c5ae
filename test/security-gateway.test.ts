import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStream } from '../src/http/exchange.ts'
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
    guarded = await openGuarded(database, { upstreamTimeout: 8_000, allowCommands: true })
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

  it('a call without a session ends with its token, and with its client, and is counted until then', async () => {
    const { upstream, path } = await behind('endless', (_, response) => stream(response))
    const made = await guarded.token({ all_servers: true })
    const began = performance.now()
    const running = guarded.rpc(path, made.secret, call('x'), streams)
    await expect.poll(() => said(upstream)).toContain('tools/call')
    await guarded.call('revoke_token', { token_id: made.id })
    expect((await running).text).toContain('error')
    expect(performance.now() - began).toBeLessThan(3_000)
    await expect.poll(() => said(upstream)).toContain('notifications/cancelled')

    const { secret } = await guarded.token({ all_servers: true })
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
    const stop = new AbortController()
    const hung = fetch(`${guarded.url}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(call('x')),
      signal: stop.signal,
    }).catch(() => 'hung up')
    await expect.poll(() => said(upstream).filter((one) => one === 'tools/call').length).toBe(2)
    stop.abort()
    expect(await hung).toBe('hung up')
    await expect.poll(() => said(upstream).filter((one) => one === 'notifications/cancelled').length).toBe(2)
  })

  it('who hangs up and calls again in a session has no more calls running than who waits', async () => {
    const { upstream, path } = await behind('patient', () => undefined)
    const { secret } = await guarded.token({ all_servers: true })
    const session = await open(path, secret)
    const stop = new AbortController()
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json', ...session }
    const hung = Array.from({ length: 200 }, (_, at) =>
      fetch(`${guarded.url}${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(call('x', {}, at + 1)),
        signal: stop.signal,
      }).catch(() => 'hung up'),
    )
    const running = () => said(upstream).filter((one) => one === 'tools/call').length
    await expect.poll(running, { timeout: 4_000 }).toBe(200)
    stop.abort()
    await Promise.all(hung)
    await sleep(200)
    expect((await guarded.rpc(path, secret, call('x', {}, 1_000), session)).status).toBe(429)
    expect(running()).toBe(200)
  }, 20_000)

  it('a server that asks without end has no more than a hundred answers of ours under way', async () => {
    let most = 0
    let now = 0
    const { path } = await behind('asking', ({ message }, response) => {
      stream(response)
      const flood = Array.from({ length: 5_000 }, (_, at) => ({
        jsonrpc: '2.0',
        id: `q${at}`,
        method: 'ping',
      }))
      response.write(`data: ${JSON.stringify(flood)}\n\n`)
      setTimeout(() => response.end(event(result(message.id, { content: [] }))), 500)
    })
    const flooded = hostile.at(-1)
    flooded?.server.on('connection', (socket) => {
      now += 1
      most = Math.max(most, now)
      socket.on('close', () => (now -= 1))
    })
    const { secret } = await guarded.token({ all_servers: true })
    expect((await guarded.rpc(path, secret, call('x'), streams)).text).toContain('"result"')
    expect(most).toBeLessThan(150)
  })

  it('what a shared program says unasked reaches no token while another one uses it', async () => {
    const program = `process.stdin.on('data', (chunk) => {
      for (const line of String(chunk).split('\\n').filter(Boolean)) {
        const { id, method, params } = JSON.parse(line)
        const say = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }))
        if (method === 'tools/call') {
          say({ method: 'notifications/message', params: { level: 'info', data: params.name } })
          say({ method: 'notifications/resources/updated', params: { uri: 'mem://' + params.name } })
        }
        const about = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'p', version: '1' } }
        if (id !== undefined) say({ id, result: method === 'initialize' ? about : { content: [] } })
      }
    })`
    const { json: added } = await guarded.call('add_config_server', {
      config_id: guarded.configId,
      name: 'shared',
      runs: { command: process.execPath, args: ['-e', program] },
    })
    const path = `/servers/${added.server.slug}/mcp`
    const [mine, theirs] = [
      await guarded.token({ all_servers: true }),
      await guarded.token({ all_servers: true }),
    ]
    const session = await open(path, mine.secret, { ...initialize.params, capabilities: {} })
    const stop = new AbortController()
    const headers = { authorization: `Bearer ${mine.secret}`, accept: 'text/event-stream', ...session }
    const { body } = await fetch(`${guarded.url}${path}`, { headers, signal: stop.signal })
    let heard = ''
    const listening = (async () => {
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) heard += Buffer.from(chunk)
    })().catch(() => undefined)
    await guarded.rpc(path, mine.secret, call('my-own'), session)
    await expect.poll(() => heard).toContain('my-own')
    expect((await guarded.rpc(path, theirs.secret, call('not-yours'))).json.result).toEqual({ content: [] })
    await sleep(300)
    stop.abort()
    await listening
    expect(heard).not.toContain('not-yours')
  })

  it('a newer standing stream of a session ends the older one', async () => {
    const { path } = await behind('standing', (_, response) => response.writeHead(405).end())
    const { secret } = await guarded.token({ all_servers: true })
    const session = await open(path, secret)
    const headers = { authorization: `Bearer ${secret}`, accept: 'text/event-stream', ...session }
    const stop = new AbortController()
    const first = await fetch(`${guarded.url}${path}`, { headers })
    await fetch(`${guarded.url}${path}`, { headers, signal: stop.signal })
    expect(await first.text()).toBe('')
    stop.abort()
  })

  it('what is kept for a stream that is not there yet is bounded by its size', async () => {
    const data = 'x'.repeat(700_000)
    const { path } = await behind('wordy', (seen, response) => {
      if (seen.method === 'GET') return response.writeHead(405).end()
      stream(response)
      for (let turn = 0; turn < 4; turn++)
        response.write(
          event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } }),
        )
      response.end(event(result(seen.message.id, { content: [] })))
    })
    const { secret } = await guarded.token({ all_servers: true })
    const session = await open(path, secret)
    expect((await guarded.rpc(path, secret, call('x'), session)).json.result).toEqual({ content: [] })
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 1_500)
    const headers = { authorization: `Bearer ${secret}`, accept: 'text/event-stream', ...session }
    const { body } = await fetch(`${guarded.url}${path}`, { headers, signal: stop.signal })
    let bytes = 0
    await (async () => {
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.length
    })().catch(() => undefined)
    expect(bytes).toBeGreaterThan(700_000)
    expect(bytes).toBeLessThan(800_000)
  })

  it('a client that does not read its ended stream cannot end the process, and is let go of', async () => {
    const faults: unknown[] = []
    const server = createServer((_, response) => {
      response.on('error', (error) => faults.push(error))
      const ended = openStream(response)
      for (let turn = 0; turn < 8; turn++) ended.send({ text: 'x'.repeat(1024 * 1024) })
      ended.end()
      ended.send({ text: 'late' })
      setTimeout(() => ended.send({ text: 'later' }), 100)
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
