import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateMessageRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../support/databases.ts'
import { type Guarded, openGuarded } from './guarded.ts'

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const paths = ['/servers/alpha/mcp', '/gateway/mcp']

describe.each(databases)('sessions of the gateway, on $name', (database) => {
  let guarded: Guarded
  beforeAll(async () => {
    guarded = await openGuarded(database, { upstreamTimeout: 5_000 })
  })
  afterAll(() => guarded.close())

  async function open(path: string, secret: string): Promise<Record<string, string>> {
    const { status, headers } = await guarded.rpc(path, secret, initialize)
    expect(status).toBe(200)
    return { 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
  }
  /** Resolves with how long a standing stream stayed open, ms. */
  async function streamUntilEnd(path: string, secret: string, session: Record<string, string>) {
    const started = performance.now()
    const response = await fetch(`${guarded.url}${path}`, {
      headers: { authorization: `Bearer ${secret}`, accept: 'text/event-stream', ...session },
    })
    expect(response.status).toBe(200)
    const ended = response.text().then(() => performance.now() - started)
    return { ended }
  }

  it.each(paths)(
    'a session of %s is bound to its token: with another it is not found, whatever it says',
    async (path) => {
      const mine = await guarded.token({ all_servers: true })
      const theirs = await guarded.token({ all_servers: true })
      const session = await open(path, mine.secret)
      expect((await guarded.rpc(path, mine.secret, list, session)).status).toBe(200)
      const stolen = await guarded.rpc(path, theirs.secret, list, session)
      expect([stolen.status, stolen.json.error]).toEqual([
        404,
        { code: -32001, message: 'Session not found' },
      ])
      for (const method of ['GET', 'DELETE'])
        expect(
          (
            await guarded.send(path, {
              method,
              headers: { authorization: `Bearer ${theirs.secret}`, ...session },
            })
          ).status,
        ).toBe(404)
      const other = path === paths[0] ? '/servers/beta/mcp' : '/servers/alpha/mcp'
      expect((await guarded.rpc(other, mine.secret, list, session)).status).toBe(404)
      expect((await guarded.rpc(path, mine.secret, list, session)).status).toBe(200)
    },
  )

  it.each(paths)('DELETE ends a session of %s, at its server too', async (path) => {
    const { secret } = await guarded.token({ all_servers: true })
    const session = await open(path, secret)
    await guarded.rpc(path, secret, list, session)
    const before = guarded.alpha.sessions()
    const ended = await guarded.send(path, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${secret}`, ...session },
    })
    expect([ended.status, ended.text]).toEqual([204, ''])
    expect((await guarded.rpc(path, secret, list, session)).status).toBe(404)
    await expect.poll(() => guarded.alpha.sessions()).toBe(before - 1)
  })

  describe.each([
    ['revoked', (id: string) => guarded.call('revoke_token', { token_id: id })],
    ['disabled', (id: string) => guarded.call('set_token_enabled', { token_id: id, enabled: false })],
    ['rotated', (id: string) => guarded.call('rotate_token', { token_id: id })],
    [
      'bound to another address',
      (id: string) => guarded.call('update_token', { token_id: id, allowed_ips: ['192.0.2.1'] }),
    ],
  ] as const)('a token that is %s', (_, end) => {
    it.each(paths)(
      'ends its open streams and calls of %s within a second, and leaves others alone',
      async (path) => {
        const made = await guarded.token({ all_servers: true })
        const bystander = await guarded.token({ all_servers: true })
        const session = await open(path, made.secret)
        const theirs = await open(path, bystander.secret)
        const stream = await streamUntilEnd(path, made.secret, session)
        const other = await streamUntilEnd(path, bystander.secret, theirs)
        const name = path === '/gateway/mcp' ? 'alpha__slow' : 'slow'
        const params = { name, arguments: { ms: 20_000 } }
        const call = guarded.rpc(
          path,
          made.secret,
          { jsonrpc: '2.0', id: 9, method: 'tools/call', params },
          session,
        )
        await sleep(200)
        const started = performance.now()
        expect((await end(made.id)).status).toBe(200)
        const answer = await call
        await stream.ended
        expect(performance.now() - started).toBeLessThan(1_000)
        expect(answer.json.error).toEqual({ code: -32000, message: 'The session ended.' })
        const open_ = await Promise.race([other.ended, sleep(400, 'open')])
        expect(open_).toBe('open')
        expect((await guarded.rpc(path, bystander.secret, list, theirs)).status).toBe(200)
        await guarded.send(path, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${bystander.secret}`, ...theirs },
        })
      },
    )
  })

  it('a session at a server ends within a second when its token no longer reaches it', async () => {
    const made = await guarded.token({ servers: [guarded.servers['alpha']] })
    const session = await open('/servers/alpha/mcp', made.secret)
    const stream = await streamUntilEnd('/servers/alpha/mcp', made.secret, session)
    const started = performance.now()
    await guarded.call('update_token', { token_id: made.id, access: { servers: [guarded.servers['beta']] } })
    await stream.ended
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('where all servers are one, a server the token no longer reaches is closed to it within a second', async () => {
    const both = [guarded.servers['alpha'], guarded.servers['beta']]
    const { id, secret } = await guarded.token({ servers: both })
    const client = await guarded.connect('/gateway/mcp', secret)
    const heard: unknown[] = []
    client.setNotificationHandler(
      LoggingMessageNotificationSchema,
      ({ params }) => void heard.push(params.data),
    )
    await client.listTools()
    const said = async (text: string) => {
      await guarded.alpha.shout(text)
      return heard.includes(text)
    }
    await expect.poll(() => said('before')).toBe(true)
    const open = guarded.alpha.sessions()
    const call = client.callTool({ name: 'alpha__slow', arguments: { ms: 20_000 } })
    const refused = expect(call).rejects.toMatchObject({ code: -32003 })
    await sleep(100)
    const started = performance.now()
    await guarded.call('update_token', { token_id: id, access: { servers: [guarded.servers['beta']] } })
    await refused
    await expect.poll(() => guarded.alpha.sessions()).toBe(open - 1)
    expect(performance.now() - started).toBeLessThan(1_500)
    expect(await said('after')).toBe(false)
    await guarded.beta.shout('of the other')
    await expect.poll(() => heard.includes('of the other')).toBe(true)
    expect(heard).not.toContain('after')
  })

  it('a predecessor keeps its stream during grace and loses it after', async () => {
    const made = await guarded.token({ all_servers: true })
    const session = await open('/servers/alpha/mcp', made.secret)
    const stream = await streamUntilEnd('/servers/alpha/mcp', made.secret, session)
    await guarded.call('rotate_token', { token_id: made.id, grace_seconds: 60 })
    expect(await Promise.race([stream.ended, sleep(900, 'open')])).toBe('open')
    guarded.clock.pass(61_000)
    await stream.ended
  })

  it('a client that goes on with the new secret keeps its session when the grace ends; a stream of the old one ends', async () => {
    const made = await guarded.token({ all_servers: true })
    const session = await open('/servers/alpha/mcp', made.secret)
    const stream = await streamUntilEnd('/servers/alpha/mcp', made.secret, session)
    const rotated = await guarded.call('rotate_token', { token_id: made.id, grace_seconds: 60 })
    const fresh = rotated.json.delivery.secret
    expect((await guarded.rpc('/servers/alpha/mcp', fresh, list, session)).status).toBe(200)
    guarded.clock.pass(61_000)
    await stream.ended
    await sleep(700)
    expect((await guarded.rpc('/servers/alpha/mcp', fresh, list, session)).status).toBe(200)
  })

  it('requests of a server reach the client that called, and its answer comes back', async () => {
    const { secret } = await guarded.token({ all_servers: true })
    for (const [path, name] of [
      ['/servers/alpha/mcp', 'ask'],
      ['/gateway/mcp', 'alpha__ask'],
    ] as const) {
      const clients = await Promise.all(
        ['one', 'two', 'three'].map(async (who) => {
          const client = await guarded.connect(path, secret, { sampling: {} })
          client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
            role: 'assistant',
            model: 'none',
            content: { type: 'text', text: `${who} heard ${JSON.stringify(params.messages[0]?.content)}` },
          }))
          return { who, client }
        }),
      )
      await Promise.all(
        clients.map(async ({ who, client }) => {
          const result = await client.callTool({ name, arguments: { text: `question of ${who}` } })
          expect(JSON.stringify(result.content)).toContain(`${who} heard`)
          expect(JSON.stringify(result.content)).toContain(`question of ${who}`)
        }),
      )
    }
  })

  it('progress comes during the call, cancellation reaches the server, log messages the standing stream', async () => {
    const { secret } = await guarded.token({ all_servers: true })
    for (const [path, prefix] of [
      ['/servers/alpha/mcp', ''],
      ['/gateway/mcp', 'alpha__'],
    ] as const) {
      const client = await guarded.connect(path, secret)
      const heard: unknown[] = []
      client.setNotificationHandler(
        LoggingMessageNotificationSchema,
        ({ params }) => void heard.push(params.data),
      )
      const progress: number[] = []
      await client.callTool({ name: `${prefix}progress`, arguments: { text: 'x' } }, undefined, {
        onprogress: (step) => progress.push(step.progress),
      })
      expect(progress).toEqual([1, 2, 3])
      const stop = new AbortController()
      const call = client.callTool({ name: `${prefix}slow`, arguments: { ms: 4_000 } }, undefined, {
        signal: stop.signal,
      })
      const failed = expect(call).rejects.toThrow()
      await sleep(200)
      stop.abort('enough')
      await failed
      await expect.poll(() => guarded.alpha.asked.at(-1)).toBe('cancelled slow')
      await expect
        .poll(async () => {
          await guarded.alpha.shout('news')
          return heard.includes('news')
        })
        .toBe(true)
    }
  })

  it('a hundred sessions in parallel never mix answers', async () => {
    const tokens = await Promise.all(Array.from({ length: 4 }, () => guarded.token({ all_servers: true })))
    await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        const secret = tokens[at % 4]?.secret ?? ''
        const path = paths[at % 2] ?? ''
        const session = await open(path, secret)
        const name = path === '/gateway/mcp' ? 'alpha__echo' : 'echo'
        for (let turn = 0; turn < 5; turn += 1) {
          const text = `session ${at} turn ${turn}`
          const params = { name, arguments: { text } }
          const { json } = await guarded.rpc(
            path,
            secret,
            { jsonrpc: '2.0', id: turn, method: 'tools/call', params },
            session,
          )
          expect(json).toEqual({ jsonrpc: '2.0', id: turn, result: { content: [{ type: 'text', text }] } })
        }
        await guarded.send(path, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${secret}`, ...session },
        })
      }),
    )
  })
})

describe('a gateway without sessions', () => {
  it('answers every request by itself, and ends those that are open with their token', async () => {
    const [database] = databases
    if (database === undefined) throw new Error('no database')
    const guarded = await openGuarded(database, { sessions: 'off' })
    try {
      const { secret } = await guarded.token({ all_servers: true })
      for (const path of paths) {
        const opened = await guarded.rpc(path, secret, initialize)
        expect([opened.status, opened.headers.get('mcp-session-id')]).toEqual([200, null])
        expect((await guarded.rpc(path, secret, list)).json.result.tools.length).toBeGreaterThan(3)
        const headers = { authorization: `Bearer ${secret}` }
        const listening = await guarded.send(path, { headers })
        expect([listening.status, listening.headers.get('allow')]).toEqual([405, 'POST'])
        const client = await guarded.connect(path, secret)
        expect((await client.listTools()).tools.length).toBeGreaterThan(3)
      }
      for (const [path, name] of [
        ['/servers/alpha/mcp', 'slow'],
        ['/gateway/mcp', 'alpha__slow'],
      ] as const) {
        const made = await guarded.token({ all_servers: true })
        const params = { name, arguments: { ms: 20_000 } }
        const call = guarded.rpc(path, made.secret, { jsonrpc: '2.0', id: 5, method: 'tools/call', params })
        await sleep(400)
        const started = performance.now()
        await guarded.call('revoke_token', { token_id: made.id })
        const { json } = await call
        expect(performance.now() - started).toBeLessThan(1_000)
        expect(json).toEqual({ jsonrpc: '2.0', id: 5, error: { code: -32003, message: 'Forbidden' } })
        await expect.poll(() => guarded.alpha.asked.at(-1)).toBe('cancelled slow')
      }
    } finally {
      await guarded.close()
    }
  })
})
