import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openUpstream, type Upstream } from '../gateway/mcp-upstream.ts'
import { openServing, type Running } from '../http/serving.ts'
import { database } from '../support/databases.ts'
import { installed, kinds, type RunningProxy, startProxy } from './proxy.ts'

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}

describe.each(kinds)('$name asks Tokenwright, with the configuration in deploy/', (kind) => {
  const missing = installed(kind.program) === undefined
  const suite = missing ? describe.skip : describe
  // A skipped suite says what would have to be installed.
  suite(
    missing ? `skipped: the Debian package ${kind.program} is not installed` : 'in front of an MCP server',
    () => {
      let running: Running
      let upstream: Upstream
      let proxy: RunningProxy
      let weather: string

      beforeAll(async () => {
        running = await openServing(database('sqlite'), { trustedProxies: ['127.0.0.1'] })
        upstream = await openUpstream('weather')
        weather = (await running.call('create_server', { name: 'weather' })).json.server.id
        await running.call('create_server', { name: 'other' })
        proxy = await startProxy(kind, {
          server: Number(new URL(upstream.url).port),
          tokenwright: running.port,
        })
      })
      afterAll(async () => {
        await proxy.stop()
        await upstream.close()
        await running.close()
      })

      async function token(more: object = {}, access: object = { servers: [weather] }) {
        const made = await running.call('create_token', {
          name: 'via proxy',
          access,
          delivery: 'inline',
          ...more,
        })
        return { id: made.json.token.id as string, secret: made.json.delivery.secret as string }
      }
      async function ask(secret: string | null, headers: Record<string, string> = {}) {
        const response = await fetch(`${proxy.url}/mcp`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
            ...headers,
          },
          body: JSON.stringify(initialize),
        })
        await response.text()
        return response
      }
      const status = async (secret: string | null, headers?: Record<string, string>) =>
        (await ask(secret, headers)).status
      async function connect(secret: string): Promise<Client> {
        const client = new Client({ name: 'official', version: '1' })
        const requestInit = { headers: { authorization: `Bearer ${secret}` } }
        const transport = new StreamableHTTPClientTransport(new URL(`${proxy.url}/mcp`), { requestInit })
        await client.connect(transport as never)
        return client
      }

      it('the official client connects, lists and calls; progress comes while the call still runs', async () => {
        const client = await connect((await token()).secret)
        expect((await client.listTools()).tools.map(({ name }) => name)).toContain('echo')
        const heard: number[] = []
        const result = await client.callTool(
          { name: 'progress', arguments: { text: 'done', ms: 600 } },
          undefined,
          {
            onprogress: () => heard.push(performance.now()),
          },
        )
        expect(result.content).toEqual([{ type: 'text', text: 'done' }])
        expect(heard).toHaveLength(3)
        expect(performance.now() - (heard[0] ?? 0)).toBeGreaterThan(200)
        await client.close()
      })

      it('what is no good is refused and never reaches the server; what ended is refused at the next request', async () => {
        const seen = upstream.headers.length
        const none = await ask(null)
        expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
        const bad = await ask('mcpt_nonsense')
        expect([bad.status, bad.headers.get('www-authenticate')]).toEqual([
          401,
          'Bearer error="invalid_token"',
        ])
        const elsewhere = await token({}, { all_servers: false })
        expect(await status(elsewhere.secret)).toBe(403)
        // What a client says about the server it wants changes nothing.
        expect(await status(elsewhere.secret, { 'x-auth-server': 'other' })).toBe(403)
        expect(await status(running.adminKey)).toBe(403)
        expect(upstream.headers.length).toBe(seen)
        const made = await token()
        expect(await status(made.secret)).toBe(200)
        await running.call('revoke_token', { token_id: made.id })
        expect(await status(made.secret)).toBe(401)
        expect(upstream.headers.length).toBe(seen + 1)
      })

      it('an address list means the address of the connection, whatever the client says of itself', async () => {
        const here = await token({ allowed_ips: ['127.0.0.1'] })
        const away = await token({ allowed_ips: ['203.0.113.5'] })
        for (const headers of [
          {},
          { 'x-forwarded-for': '203.0.113.5' },
          { forwarded: 'for=203.0.113.5', 'x-real-ip': '203.0.113.5' },
        ]) {
          // The proxy is trusted, so that an address of this machine is one hop of it.
          expect([headers, await status(away.secret, headers)]).toEqual([headers, 403])
        }
        expect(await status(here.secret)).toBe(200)
      })

      it('the page a browser comes from is told to the server behind, and no reason for Tokenwright to refuse', async () => {
        const { secret } = await token()
        expect(await status(secret, { origin: 'https://app.example' })).toBe(200)
        expect(upstream.headers.at(-1)?.['origin']).toBe('https://app.example')
        expect(await status('mcpt_nonsense', { origin: 'https://app.example' })).toBe(401)
      })

      it('a token at its limit is 429 with Retry-After', async () => {
        const { secret } = await token(
          {},
          { servers: [weather], limits: { requests: 2, per_seconds: 3_600 } },
        )
        expect([await status(secret), await status(secret)]).toEqual([200, 200])
        const over = await ask(secret)
        expect(over.status).toBe(429)
        expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
      })

      it('the server learns who calls from Tokenwright alone, and never the secret; many at once are never mixed', async () => {
        const made = await Promise.all(Array.from({ length: 4 }, () => token()))
        const first = upstream.headers.length
        await Promise.all(
          Array.from({ length: 32 }, (_, at) =>
            ask(made[at % 4]?.secret ?? '', {
              'x-marker': made[at % 4]?.id ?? '',
              'x-auth-token-id': 'forged',
              'x-auth-token-owner': 'forged',
            }),
          ),
        )
        const seen = upstream.headers.slice(first)
        expect(seen).toHaveLength(32)
        for (const headers of seen) {
          expect(headers['x-auth-token-id']).toBe(headers['x-marker'])
          expect(headers['x-auth-token-name']).toBe('via%20proxy')
          expect(headers.authorization ?? '').toBe('')
          expect(headers['x-auth-token-owner'] ?? '').toBe('')
          expect(headers['x-auth-token-expires-at']).toMatch(/^\d{4}-/)
        }
      })

      it('nobody passes while Tokenwright cannot be asked', async () => {
        const { secret } = await token()
        expect(await status(secret)).toBe(200)
        const seen = upstream.headers.length
        await running.close()
        expect(await status(secret)).toBeGreaterThanOrEqual(502)
        expect(upstream.headers.length).toBe(seen)
      })
    },
  )
})
