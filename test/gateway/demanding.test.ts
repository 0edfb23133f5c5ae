import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Everything, startEverything } from './everything.ts'
import { script } from './program.ts'
import { openProving, type Proving } from './proving.ts'
import { startUpstream, type Upstream } from './upstream.ts'

const hello = (protocolVersion = '2025-11-25', capabilities: object = {}) => ({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion, capabilities, clientInfo: { name: 'raw', version: '1' } },
})
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' }
const ask = (id: string | number, method: string, params: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
})
const tool = (id: string | number, name: string, args: object = {}, more: object = {}) =>
  ask(id, 'tools/call', { name, arguments: args, ...more })
const event = (message: object) => `event: message\ndata: ${JSON.stringify(message)}\n\n`

/** A server that lists in three pages, answers what a test tells it to, and takes its time over notifications. */
function paged() {
  let ready = false
  return startUpstream(async ({ method, message }, response) => {
    const json = (result: object) => {
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'one' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }))
    }
    if (method !== 'POST') return response.writeHead(405).end()
    if (message.method === 'initialize') {
      ready = false
      const capabilities = { tools: { listChanged: true }, resources: {} }
      const { protocolVersion } = message.params
      return json({ protocolVersion, capabilities, serverInfo: { name: 'paged', version: '1' } })
    }
    if (message.id === undefined) {
      await sleep(200)
      ready = true
      return response.writeHead(202).end()
    }
    if (message.method === 'tools/list') {
      const page = Number(message.params?.cursor ?? 0)
      const tools = [{ name: `tool-${page}`, inputSchema: { type: 'object' } }]
      return json(page < 2 ? { tools, nextCursor: String(page + 1) } : { tools })
    }
    const { name } = message.params
    if (name === 'ready') return json({ content: [{ type: 'text', text: String(ready) }] })
    if (name === 'big') {
      const result = { content: [{ type: 'text', text: 'ü'.repeat(2.5 * 1024 * 1024) }] }
      if (message.params.arguments.streams !== true) return json(result)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(
        event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: '' } }),
      )
      return response.end(event({ jsonrpc: '2.0', id: message.id, result }))
    }
    if (name === 'params') return json({ content: [], structuredContent: message.params })
    if (name === 'comments') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (let times = 0; times < 12; times += 1) {
        response.write(': still here\n\n')
        await sleep(200)
      }
      return response.end(event({ jsonrpc: '2.0', id: message.id, result: { content: [] } }))
    }
    json({ content: [{ type: 'text', text: `id ${typeof message.id}` }] })
  })
}

describe('a demanding client at the gateway', () => {
  let proving: Proving
  let upstream: Upstream
  let slug: string
  let secret: string
  const everythings: Everything[] = []

  beforeAll(async () => {
    proving = await openProving({ upstreamTimeout: 1_000 })
    upstream = await paged()
    const added = await proving.add('paged', { url: upstream.url })
    slug = added.slug
    secret = await proving.secret([added.id])
  })
  afterAll(async () => {
    await proving.close()
    await upstream.close()
    await Promise.all(everythings.map((one) => one.stop()))
  })

  const send = (path: string, message: object, headers: Record<string, string> = {}, key = secret) =>
    proving.send(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(message),
    })
  async function open(
    path: string,
    message: object = hello(),
    key = secret,
  ): Promise<Record<string, string>> {
    const { status, headers } = await send(path, message, {}, key)
    expect(status).toBe(200)
    return { 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
  }
  const get = (path: string, session: Record<string, string>, key = secret) =>
    fetch(`${proving.url}${path}`, {
      headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream', ...session },
    })
  const one = () => `/servers/${slug}/mcp`
  const ways = () => [
    { path: one(), prefix: '' },
    { path: '/gateway/mcp', prefix: `${slug}__` },
  ]

  it('what is asked after `initialized` reaches the server after it, however slowly that is taken', async () => {
    for (const { path, prefix } of ways()) {
      const session = await open(path)
      await send(path, initialized, session)
      const { json } = await send(path, tool(1, `${prefix}ready`), session)
      expect([path, json.result.content[0].text]).toEqual([path, 'true'])
    }
    const alone = await send(one(), tool(1, 'ready'))
    expect(alone.json.result.content[0].text).toBe('true')
  })

  it('a call whose stream brings comments but no message is waited for', async () => {
    for (const { path, prefix } of ways()) {
      const session = await open(path)
      const { json } = await send(path, tool(1, `${prefix}comments`), session)
      expect([path, json.result]).toEqual([path, { content: [] }])
    }
  })

  it('ids are text or numbers, 0 and "" too, and come back as they were; the same one twice at once is refused', async () => {
    for (const { path, prefix } of ways()) {
      const session = await open(path)
      for (const id of [0, '', '0', 'a', -1, 2 ** 53 - 1]) {
        const { json } = await send(path, tool(id, `${prefix}any`), session)
        expect(json).toMatchObject({ id, result: { content: [{ text: 'id number' }] } })
      }
      const slow = send(path, tool('same', `${prefix}comments`), session)
      await sleep(100)
      expect((await send(path, tool('same', `${prefix}any`), session)).status).toBe(400)
      expect((await slow).status).toBe(200)
    }
  })

  it('a result of 5 MiB passes whole, as a body and in a stream', async () => {
    const accept = 'application/json, text/event-stream'
    for (const { path, prefix } of ways()) {
      const { json } = await send(path, tool(1, `${prefix}big`), { accept })
      expect(Buffer.byteLength(json.result.content[0].text)).toBe(5 * 1024 * 1024)
      const { text } = await send(path, tool(1, `${prefix}big`, { streams: true }), { accept })
      const [told, answer] = text
        .trim()
        .split('\n\n')
        .map((one) => JSON.parse(one.split('\ndata: ')[1] ?? ''))
      expect(told.method).toBe('notifications/message')
      expect(Buffer.byteLength(answer.result.content[0].text)).toBe(5 * 1024 * 1024)
      for (const plain of ['application/json', '*/*', ''])
        expect(
          (await send(path, tool(1, `${prefix}big`, { streams: true }), { accept: plain })).json.id,
        ).toBe(1)
    }
  })

  it('pages of a list pass with their cursors at one server, and are joined where all are one', async () => {
    const page = async (params: object) => (await send(one(), ask(1, 'tools/list', params))).json.result
    expect(await page({})).toMatchObject({ tools: [{ name: 'tool-0' }], nextCursor: '1' })
    expect(await page({ cursor: '1' })).toMatchObject({ tools: [{ name: 'tool-1' }], nextCursor: '2' })
    expect(await page({ cursor: '2' })).toEqual({
      tools: [{ name: 'tool-2', inputSchema: { type: 'object' } }],
    })
    const { result } = (await send('/gateway/mcp', ask(1, 'tools/list'))).json
    expect(result.tools.map(({ name }: { name: string }) => name)).toEqual(
      [0, 1, 2].map((n) => `${slug}__tool-${n}`),
    )
    expect(result).not.toHaveProperty('nextCursor')
  })

  it('every revision of the protocol can be agreed on; one that nobody agreed on is refused', async () => {
    for (const { path, prefix } of ways())
      for (const version of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
        const { headers, json } = await send(path, hello(version))
        expect(json.result.protocolVersion).toBe(version)
        const session = { 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
        const agreed = { ...session, 'mcp-protocol-version': version }
        expect((await send(path, tool(1, `${prefix}any`), agreed)).status).toBe(200)
        const foreign = { ...session, 'mcp-protocol-version': '1999-01-01' }
        expect((await send(path, tool(1, `${prefix}any`), foreign)).status).toBe(400)
      }
    // A server may be ahead of the gateway.
    const session = await open(one(), hello('2031-01-01'))
    expect(
      (await send(one(), tool(1, 'any'), { ...session, 'mcp-protocol-version': '2031-01-01' })).status,
    ).toBe(200)
  })

  it('a request that wants to be a task, where none are offered, is carried out as any other', async () => {
    const asked = async (path: string, prefix: string) => {
      const { json } = await send(path, tool(1, `${prefix}params`, { a: 1 }, { task: { ttl: 1 } }))
      return json.result.structuredContent
    }
    expect(await asked(one(), '')).toMatchObject({ task: { ttl: 1 } })
    expect(await asked('/gateway/mcp', `${slug}__`)).toEqual({ name: 'params', arguments: { a: 1 } })
  })

  it('a standing stream that is opened again ends the older one, and Last-Event-ID does no harm', async () => {
    for (const { path } of ways()) {
      const session = await open(path)
      const first = await get(path, session)
      const second = await get(path, { ...session, 'last-event-id': 'anything-1' })
      expect([first.status, second.status]).toEqual([200, 200])
      await first.text()
      const open_ = second.text().then(() => 'ended')
      expect(await Promise.race([open_, sleep(300, 'open')])).toBe('open')
      const authorization = `Bearer ${secret}`
      await proving.send(path, { method: 'DELETE', headers: { authorization, ...session } })
      expect(await open_).toBe('ended')
      expect((await get(path, session)).status).toBe(404)
    }
  })

  it('notifications before or without a session, and answers nobody waits for, are taken and harm nothing', async () => {
    for (const { path, prefix } of ways()) {
      const session = await open(path)
      for (const headers of [{}, session])
        for (const message of [
          { jsonrpc: '2.0', method: 'notifications/roots/list_changed' },
          { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'unknown' } },
          { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } },
          { jsonrpc: '2.0', id: 'tw-1', result: {} },
          { jsonrpc: '2.0', id: 7, error: { code: 1, message: 'no' } },
        ])
          expect((await send(path, message, headers)).status).toBe(202)
      expect((await send(path, tool(1, `${prefix}any`), session)).status).toBe(200)
    }
  })

  it('a client that goes away during a call leaves its session in order', async () => {
    for (const { path, prefix } of ways()) {
      const session = await open(path)
      const gone = new AbortController()
      const call = fetch(`${proving.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json', ...session },
        body: JSON.stringify(tool(1, `${prefix}comments`)),
        signal: gone.signal,
      })
      await sleep(300)
      gone.abort()
      await expect(call).rejects.toThrow()
      expect((await send(path, tool(2, `${prefix}any`), session)).status).toBe(200)
    }
  })

  it('a server that was started again is found again: at once where all are one, by a new session at itself', async () => {
    const before = await startEverything('streamableHttp')
    everythings.push(before)
    const { slug, id } = await proving.add('restarted', { url: before.url })
    const key = await proving.secret([id])
    const path = `/servers/${slug}/mcp`
    const [atOne, atAll] = [await open(path, hello(), key), await open('/gateway/mcp', hello(), key)]
    const echo = (where: string, session: Record<string, string>, prefix = '') =>
      send(where, tool(1, `${prefix}echo`, { message: 'hi' }), session, key)
    expect((await echo(path, atOne)).json.result).toBeDefined()
    expect((await echo('/gateway/mcp', atAll, `${slug}__`)).json.result).toBeDefined()
    await before.stop()
    everythings.push(await startEverything('streamableHttp', before.port))
    await echo(path, atOne)
    expect((await echo(path, atOne)).status).toBe(404)
    expect((await echo(path, await open(path, hello(), key))).json.result).toBeDefined()
    await echo('/gateway/mcp', atAll, `${slug}__`)
    expect((await echo('/gateway/mcp', atAll, `${slug}__`)).json.result).toBeDefined()
  })

  it('changed lists, pings and questions of a server come through, during a call and after it', async () => {
    const asks = `
      import { createInterface } from 'node:readline'
      const say = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }))
      const answers = []
      createInterface({ input: process.stdin }).on('line', (line) => {
        const message = JSON.parse(line)
        const { id, method, params } = message
        if (method === undefined) return answers.push(message)
        if (method === 'initialize')
          return say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: { listChanged: true } },
            serverInfo: { name: 'x', version: '1' } } })
        if (method !== 'tools/call') return
        if (params.arguments.answers) return say({ id, result: { content: [], structuredContent: { answers } } })
        for (const list of ['tools', 'prompts', 'resources']) say({ method: 'notifications/' + list + '/list_changed' })
        say({ id: 0, method: 'ping' })
        say({ id: 'during', method: 'roots/list' })
        say({ id, result: { content: [] } })
        setTimeout(() => say({ id: 'after', method: 'roots/list' }), 100)
        say({ id: 'unknown', method: 'demo/unknown' })
      })`
    const { slug, id } = await proving.add('asks', script(asks))
    const key = await proving.secret([id])
    for (const prefix of ['', `${slug}__`]) {
      const client = new Client({ name: 'asked', version: '1' }, { capabilities: { roots: {} } })
      const changed: string[] = []
      client.fallbackNotificationHandler = async ({ method }) => void changed.push(method)
      client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [] }))
      await client.connect(proving.way(prefix === '' ? slug : null, key))
      await client.callTool({ name: `${prefix}any`, arguments: {} })
      const answers = async () => {
        const got = await client.callTool({ name: `${prefix}any`, arguments: { answers: true } })
        return (got.structuredContent as { answers: { id: string | number }[] }).answers.map(({ id }) => id)
      }
      await expect
        .poll(async () => (await answers()).map(String).sort())
        .toEqual(['0', 'after', 'during', 'unknown'])
      expect(changed).toEqual(
        ['tools', 'prompts', 'resources'].map((list) => `notifications/${list}/list_changed`),
      )
      await client.close()
    }
  })

  it('what is opened for a session that ends meanwhile is closed again', async () => {
    const slow = `
      import { createInterface } from 'node:readline'
      createInterface({ input: process.stdin }).on('line', (line) => {
        const { id, method, params } = JSON.parse(line)
        const result = { protocolVersion: params?.protocolVersion, capabilities: {}, serverInfo: { name: 'x', version: '1' } }
        if (method === 'initialize') setTimeout(() => console.log(JSON.stringify({ jsonrpc: '2.0', id, result })), 500)
      })`
    const { slug, id } = await proving.add('slow start', script(slow))
    const key = await proving.secret([id])
    const session = await open('/gateway/mcp', hello('2025-11-25', { roots: {} }), key)
    const call = send('/gateway/mcp', tool(1, `${slug}__any`), session, key)
    await sleep(250)
    const authorization = `Bearer ${key}`
    await proving.send('/gateway/mcp', { method: 'DELETE', headers: { authorization, ...session } })
    expect((await call).status).toBe(404)
    const told = (what: string) =>
      proving.log.filter((line) => line.includes(what) && line.includes(slug)).length
    expect(told('a program was started')).toBe(1)
    await expect.poll(() => told('a program has ended'), { timeout: 5_000 }).toBe(1)
  })

  it('R17: what a shared program says is heard by nobody once several have spoken to it', async () => {
    const says = `
      import { createInterface } from 'node:readline'
      const say = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }))
      createInterface({ input: process.stdin }).on('line', (line) => {
        const { id, method, params } = JSON.parse(line)
        if (method === 'initialize')
          return say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {}, logging: {} },
            serverInfo: { name: 'x', version: '1' } } })
        if (id === undefined) return
        const data = params?.arguments?.text
        say({ method: 'notifications/message', params: { level: 'info', data } })
        say({ id, result: { content: [] } })
        setTimeout(() => say({ method: 'notifications/message', params: { level: 'info', data } }), 50)
      })`
    const { slug, id } = await proving.add('talks', script(says))
    const path = `/servers/${slug}/mcp`
    const [mine, theirs] = [await proving.secret([id]), await proving.secret([id])]
    const heard: unknown[] = []
    const client = new Client({ name: 'listens', version: '1' })
    client.fallbackNotificationHandler = async ({ params }) => void heard.push(params?.['data'])
    const way = proving.way(slug, mine)
    await client.connect(way)
    await client.callTool({ name: 'any', arguments: { text: 'mine' } })
    await expect.poll(() => heard).toEqual(['mine', 'mine'])
    expect((await send(path, tool(1, 'any', { text: 'of another, alone' }), {}, theirs)).status).toBe(200)
    const session = await open(path, hello(), theirs)
    expect(
      (await send(path, tool(1, 'any', { text: 'of another, in a session' }), session, theirs)).status,
    ).toBe(200)
    await sleep(300)
    expect(heard).toEqual(['mine', 'mine'])
    await client.close()
  })
})
