import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../support/databases.ts'
import { type Guarded, openGuarded } from './guarded.ts'

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}
const echo = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text: 'hi' } },
}
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

const http = (body: string, head = 'content-type: application/json') =>
  `HTTP/1.1 200 OK\r\n${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

/** What a broken server says to whatever it is asked, and the reason a caller is told. */
const broken: [name: string, says: string | null, reason: string][] = [
  ['silent', null, 'timeout'],
  ['html', http('<html>hello</html>', 'content-type: text/html'), 'garbage'],
  ['garbage', http('{"jsonrpc": nonsense'), 'garbage'],
  ['other', http('{"hello":"world"}'), 'garbage'],
  ['deep', http(`[${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}]`), 'too_large'],
  ['no-http', 'SSH-2.0-OpenSSH_9.0\r\n', 'garbage'],
  ['failing', 'HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\nOops', 'refused'],
  ['closed', 'HTTP/1.1 401 No\r\nwww-authenticate: Bearer\r\ncontent-length: 0\r\n\r\n', 'unauthorized'],
  ['elsewhere', 'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n', 'refused'],
]

describe.each(databases)('servers that do not do their part, on $name', (database) => {
  let guarded: Guarded
  let secret: string
  const listeners: Server[] = []

  async function add(name: string, url: string): Promise<string> {
    const added = await guarded.call('add_config_server', {
      config_id: guarded.configId,
      name,
      runs: { url },
    })
    expect(added.status).toBe(201)
    return `/servers/${added.json.server.slug}/mcp`
  }

  async function listening(says: string | null): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => says !== null && socket.write(says))
    })
    listeners.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as { port: number }).port}/mcp`
  }

  beforeAll(async () => {
    guarded = await openGuarded(database, { upstreamTimeout: 1_000 })
    secret = (await guarded.token({ all_servers: true })).secret
  })
  afterAll(async () => {
    for (const server of listeners) server.close()
    await guarded.close()
  })

  it.each(broken)(
    '%s: a clear JSON-RPC error in bounded time, with and without a session',
    async (name, says, reason) => {
      const path = await add(name, await listening(says))
      for (const message of [initialize, echo, list]) {
        const started = performance.now()
        const { status, json } = await guarded.rpc(path, secret, message)
        expect(performance.now() - started).toBeLessThan(3_000)
        expect([status, json.id, json.error.code, json.error.data]).toEqual([
          200,
          message.id,
          -32020,
          { server: name, reason },
        ])
        expect(json.error.message).toContain(`The server "${name}"`)
      }
    },
  )

  it('nobody listens, nothing is configured, the address is fenced: told apart', async () => {
    const gone = createServer()
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
    const { port } = gone.address() as { port: number }
    await new Promise((resolve) => gone.close(resolve))
    const bare = await guarded.call('create_server', { name: 'bare' })
    const cases: [path: string, reason: string][] = [
      [await add('gone', `http://127.0.0.1:${port}/mcp`), 'unreachable'],
      [`/servers/${bare.json.server.slug}/mcp`, 'not_configured'],
      [await add('metadata', 'http://169.254.169.254/latest/meta-data'), 'fenced'],
      [await add('other-local', 'https://10.0.0.1/mcp'), 'fenced'],
    ]
    for (const [path, reason] of cases) {
      const { json } = await guarded.rpc(path, secret, echo)
      expect([path, json.error.code, json.error.data.reason]).toEqual([path, -32020, reason])
      expect(JSON.stringify(json)).not.toMatch(/169\.254|10\.0\.0\.1|127\.0\.0\.1/)
    }
  })

  it('a broken server is left out of the whole and named; the others answer', async () => {
    const { status, json } = await guarded.rpc('/gateway/mcp', secret, list)
    expect(status).toBe(200)
    const names = json.result.tools.map(({ name }: { name: string }) => name)
    expect(names).toContain('alpha__echo')
    expect(names).toContain('beta__echo')
    const missing = json.result._meta['tokenwright/unavailable'].map(
      ({ server }: { server: string }) => server,
    )
    expect(missing).toEqual(expect.arrayContaining(['silent', 'garbage', 'gone', 'metadata']))
    const one = { ...echo, params: { name: 'alpha__echo', arguments: { text: 'still here' } } }
    expect((await guarded.rpc('/gateway/mcp', secret, one)).json.result.content[0].text).toBe('still here')
  })

  it('a server that hangs during a call is given up, and told so', async () => {
    const params = { name: 'slow', arguments: { ms: 60_000 } }
    const started = performance.now()
    const { json } = await guarded.rpc('/servers/alpha/mcp', secret, { ...echo, params })
    expect(performance.now() - started).toBeLessThan(3_000)
    expect(json.error.data).toEqual({ server: 'alpha', reason: 'timeout' })
    await expect.poll(() => guarded.alpha.asked.at(-1)).toBe('cancelled slow')
    const logged = guarded.log.map((line) => JSON.parse(line)).filter(({ server }) => server === 'alpha')
    expect(logged).toMatchObject([{ level: 'warn', problem: 'timeout', reason: expect.any(String) }])
  })

  it('a server that goes away ends its sessions; when it is back a new one works', async () => {
    const path = '/servers/beta/mcp'
    const client = await guarded.connect(path, secret)
    expect((await client.listTools()).tools).toHaveLength(6)
    await guarded.beta.close()
    await expect(client.listTools()).rejects.toThrow()
    expect((await guarded.rpc(path, secret, echo)).json.error.data.reason).toBe('unreachable')
    expect((await guarded.rpc('/servers/alpha/mcp', secret, echo)).status).toBe(200)
  })

  it('malformed messages are refused before any server is asked', async () => {
    const asked = guarded.alpha.headers.length
    const send = (body: string | Buffer, type = 'application/json') =>
      guarded.send('/servers/alpha/mcp', {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': type },
        body: typeof body === 'string' ? body : new Uint8Array(body),
      })
    const deep = `${'['.repeat(100)}${']'.repeat(100)}`
    const cases: [body: string | Buffer, status: number, type?: string][] = [
      ['', 400],
      ['{', 400],
      ['[]', 400],
      [JSON.stringify([echo]), 400],
      ['{"jsonrpc":"1.0","id":1,"method":"x"}', 400],
      ['{"jsonrpc":"2.0","id":{},"method":"x"}', 400],
      ['{"jsonrpc":"2.0","id":1,"method":7}', 400],
      ['{"jsonrpc":"2.0","id":1,"method":"x","params":[]}', 400],
      ['{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', 400],
      [`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":${deep}}}`, 413],
      [Buffer.from([0x22, 0xff, 0x22]), 400],
      [JSON.stringify(echo), 415, 'text/plain'],
      [`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"${'x'.repeat(4 * 1024 * 1024)}"}}`, 413],
    ]
    for (const [body, status, type] of cases) {
      const answer = await send(body, type)
      expect([String(body).slice(0, 60), answer.status]).toEqual([String(body).slice(0, 60), status])
      expect(answer.json).toMatchObject({ jsonrpc: '2.0', id: null })
    }
    const put = await guarded.send('/servers/alpha/mcp', {
      method: 'PUT',
      headers: { authorization: `Bearer ${secret}` },
    })
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE'])
    expect(guarded.alpha.headers.length).toBe(asked)
  })
})
