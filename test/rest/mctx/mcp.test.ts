import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../../src/http/limits.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { makeToken, plantGroup, plantServer } from '../../support/world.ts'
import { ipNotAllowed, openWorld, unauthorized, type World } from './world.ts'

const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}

describe.each(databases)('/mcp as clients of mctx call it, on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database, { limits: { ...defaultLimits, failuresPerMinute: 100_000 } })
  })
  afterAll(() => world.close())

  const post = (as: string | null, message: unknown, headers: Record<string, string> = {}) =>
    world.send('/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(as === null ? {} : { authorization: `Bearer ${as}` }),
        ...headers,
      },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    })
  const own = ['get_token', 'rotate_token']

  it(`${verifies('mctx:mcp:accept:widened')} any Accept is answered with one JSON body; where a stream is accepted either form may come`, async () => {
    const { token } = await world.make()
    const host = `host: 127.0.0.1:${world.port}`
    const head = [
      'POST /mcp HTTP/1.1',
      host,
      `authorization: Bearer ${token}`,
      'content-type: application/json',
    ]
    const body = JSON.stringify(list)
    for (const accept of [
      ['accept: */*'],
      ['accept: application/json'],
      [],
      ['accept: application/*, text/html'],
    ]) {
      const lines = [...head, ...accept, `content-length: ${body.length}`, 'connection: close']
      const heard = await world.raw(`${lines.join('\r\n')}\r\n\r\n${body}`)
      expect([accept, heard.slice(0, 15)]).toEqual([accept, 'HTTP/1.1 200 OK'])
      expect(heard.toLowerCase()).toContain('content-type: application/json\r\n')
      expect(JSON.parse(heard.slice(heard.indexOf('{'))).result.tools).toHaveLength(2)
    }
    const opened = await post(token, initialize, { accept: '*/*' })
    expect(opened.headers.get('content-type')).toBe('application/json')
    const both = await post(token, list, { accept: 'application/json, text/event-stream' })
    expect(both.headers.get('content-type')).toMatch(/^(application\/json|text\/event-stream)/)
    expect(both.text).toContain('"rotate_token"')
  })

  it(`${verifies('mctx:mcp:stateless:no-initialize')} a lone tools/list is answered, without initialize and without a session`, async () => {
    const { token } = await world.make()
    for (const as of [token, world.keys.reader]) {
      const answer = await post(as, list)
      expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null])
      expect(answer.json).toMatchObject({ jsonrpc: '2.0', id: 1, result: { tools: expect.any(Array) } })
    }
    const { result } = (await post(token, list)).json
    expect(result.tools.map(({ name }: { name: string }) => name).sort()).toEqual(own)
  })

  it(`${verifies('mctx:mcp:status:401-only')} 401 is -32001 and for authentication alone; where else the number comes the status is another`, async () => {
    const { token, id } = await world.make()
    const session = { 'mcp-session-id': '00000000-0000-4000-8000-000000000000' }
    const get = { method: 'GET', headers: { authorization: `Bearer ${token}`, ...session } }
    const answers = [
      await post(null, list),
      await post('nonsense', '{broken'),
      await post(token, list),
      await post(token, '{broken'),
      await post(token, [list]),
      await post(token, { jsonrpc: '2.0', id: 1, method: 'no/such' }),
      await post(token, {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'create_token', arguments: { name: 'x' } },
      }),
      await post(token, {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'get_token', arguments: { token_id: `${id}x` } },
      }),
      await post(token, list, session),
      await post(token, list, { 'mcp-protocol-version': '1999-01-01' }),
      await world.send('/mcp', get),
      await world.send('/mcp', { ...get, method: 'DELETE' }),
      await world.send('/mcp', { ...get, method: 'PUT' }),
    ]
    const statuses = answers.map(({ status }) => status)
    expect(statuses.slice(0, 3)).toEqual([401, 401, 200])
    expect(statuses.slice(3)).not.toContain(401)
    for (const { status, text } of answers) expect(status === 401).toBe(text === unauthorized)
    const gone = answers.filter(
      ({ json }) => json?.error?.code === -32001 && json.error.message !== 'Unauthorized',
    )
    expect(gone.map(({ status }) => status)).toEqual([404, 404, 404])
  })

  it(`${verifies('mctx:mcp:revocation:next-request')} nothing outlives a revoke, a rotation, disabling, a change of addresses or of groups`, async () => {
    const server = await plantServer(world.beside)
    const group = await plantGroup(world.beside, [server.id])
    const outcome = async (as: string) => {
      const { status, text } = await post(as, list)
      return text === unauthorized ? 'unauthorized' : text === ipNotAllowed ? 'ip' : status
    }
    for (const end of ['revoke', 'rotate', 'disable', 'address'] as const) {
      const made = await makeToken(world.beside, { access: { groups: [group] } })
      const at = `/api/tokens/${made.id}`
      for (let warm = 0; warm < 3; warm++) expect(await outcome(made.secret)).toBe(200)
      if (end === 'revoke') await world.ask(`DELETE ${at}`)
      if (end === 'rotate') await world.ask(`POST ${at}/rotate`)
      if (end === 'disable') await world.op('set_token_enabled', { token_id: made.id, enabled: false })
      if (end === 'address') await world.ask(`PATCH ${at}`, { body: { allowed_ips: ['192.0.2.1'] } })
      expect([end, await outcome(made.secret)]).toEqual([end, end === 'address' ? 'ip' : 'unauthorized'])
    }
    const made = await makeToken(world.beside, { access: { groups: [group] } })
    const reaches = async () => {
      const { verdict } = await world.op('validate_token', { token: made.secret, server: server.slug })
      const tool = { name: 'get_token', arguments: { token_id: made.id } }
      const seen = await post(made.secret, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: tool })
      return [verdict, seen.json.result.structuredContent.token.access.groups.length]
    }
    expect(await reaches()).toEqual(['valid', 1])
    await world.op('remove_groups', { token_id: made.id, group_ids: [group] })
    expect(await reaches()).toEqual(['server_not_in_scope', 0])
    await world.op('add_groups', { token_id: made.id, group_ids: [group] })
    expect(await reaches()).toEqual(['valid', 1])
    await world.op('remove_group_servers', { group_id: group, server_ids: [server.id] })
    expect(await reaches()).toEqual(['server_not_in_scope', 1])
    await world.op('delete_group', { group_id: group })
    expect(await reaches()).toEqual(['server_not_in_scope', 0])
  })

  it('R12: a session ends with its credential: what is revoked is refused in the middle of it', async () => {
    const made = await makeToken(world.beside)
    const opened = await post(made.secret, initialize, { accept: 'application/json, text/event-stream' })
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    expect((await post(made.secret, list, session)).status).toBe(200)
    await world.ask(`DELETE /api/tokens/${made.id}`)
    expect((await post(made.secret, list, session)).text).toBe(unauthorized)
  })

  describe('the official client', () => {
    /** As the seed configures one: an address and a header, and nothing else. */
    async function connect(secret: string, path = '/mcp') {
      const client = new Client({ name: 'seed', version: '1' })
      const requests: string[] = []
      const transport = new StreamableHTTPClientTransport(new URL(`${world.url}${path}`), {
        requestInit: { headers: { Authorization: `Bearer ${secret}` } },
        fetch: (url, init) => {
          requests.push(new URL(String(url)).pathname)
          return fetch(url, init)
        },
      })
      return { client, requests, connected: client.connect(transport as never) }
    }

    it(`${verifies('mctx:client:sdk:headers')} connects with a static Authorization header, lists and calls`, async () => {
      const made = await world.make({ server_ids: 'all' })
      const { client, connected } = await connect(made.token)
      await connected
      expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual(own)
      const seen = await client.callTool({ name: 'get_token', arguments: { token_id: made.id } })
      expect(seen.structuredContent).toMatchObject({ token: { id: made.id, name: 'made' } })
      await client.close()
      const manager = await connect(world.keys.operator)
      await manager.connected
      const { structuredContent } = await manager.client.callTool({
        name: 'list_magic_tokens',
        arguments: {},
      })
      expect(structuredContent).toMatchObject({ tokens: expect.any(Array) })
      await manager.client.close()
    })

    it(`${verifies('mctx:client:sdk:errors')} reports 401 and 403 as HTTP errors with the body, and starts no OAuth login`, async () => {
      const elsewhere = await world.make({ allowed_ips: ['192.0.2.1'] })
      const revoked = await world.make()
      await world.ask(`DELETE /api/tokens/${revoked.id}`)
      for (const [secret, code, body] of [
        [revoked.token, 401, unauthorized],
        ['nonsense', 401, unauthorized],
        [elsewhere.token, 403, ipNotAllowed],
      ] as const) {
        const { client, requests, connected } = await connect(secret)
        const error = await connected.catch((error: unknown) => error)
        expect(error).toMatchObject({ code, message: expect.stringContaining(body) })
        expect(new Set(requests)).toEqual(new Set(['/mcp']))
        await client.close()
      }
      const live = await world.make()
      const { client, requests, connected } = await connect(live.token)
      await connected
      await world.ask(`DELETE /api/tokens/${live.id}`)
      const error = await client.listTools().catch((error: unknown) => error)
      expect(error).toMatchObject({ code: 401, message: expect.stringContaining(unauthorized) })
      expect(new Set(requests)).toEqual(new Set(['/mcp']))
      await client.close()
    })
  })
})
