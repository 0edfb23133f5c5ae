import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { ServeOptions } from '../../src/serve.ts'
import { openServing, type Running } from '../http/serving.ts'
import { databases } from '../support/databases.ts'

/** A gateway to which servers are added, and the official client's ways to them. */
export interface Proving extends Running {
  /** Adds a server. */
  add(name: string, runs: object): Promise<{ slug: string; id: string }>
  /** The secret of a new token that reaches these servers. */
  secret(ids: string[]): Promise<string>
  /** The way to one server, or to all (null), with a secret. */
  way(slug: string | null, secret: string): Transport
}

/** A server as a program of one of the packages. */
export function packaged(name: string, args: string[], env: Record<string, string> = {}) {
  const script = new URL(`../../node_modules/@modelcontextprotocol/${name}/dist/index.js`, import.meta.url)
  return { command: process.execPath, args: [script.pathname, ...args], env }
}

/** A way over HTTP. A stream that ends is not asked for again: the everything server would repeat what all others brought. */
export function overHttp(url: string, headers: Record<string, string> = {}): Transport {
  const reconnectionOptions = {
    maxRetries: 0,
    initialReconnectionDelay: 1,
    maxReconnectionDelay: 1,
    reconnectionDelayGrowFactor: 1,
  }
  return new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers },
    reconnectionOptions,
  }) as never
}

/** The client forgets whose progress it is once it has the answer, if both come in one turn of the loop. */
export function oneATurn(way: Transport): void {
  const hear = way.onmessage
  way.onmessage = (message, extra) => void setImmediate(() => hear?.(message, extra))
}

/** Opens it on SQLite: what is proven here asks the store for nothing but verdicts. */
export async function openProving(options: Partial<ServeOptions> = {}): Promise<Proving> {
  const [database] = databases
  if (database === undefined) throw new Error('no database')
  const serving = await openServing(database, {
    allowCommands: true,
    allowedUpstreams: ['127.0.0.1'],
    ...options,
  })
  const made = await serving.call('create_config', { name: 'proving' })
  return {
    ...serving,
    async add(name, runs) {
      const { json } = await serving.call('add_config_server', {
        config_id: made.json.config.id,
        name,
        runs,
      })
      return json.server
    },
    async secret(ids) {
      const access = { servers: ids }
      const { json } = await serving.call('create_token', { name: 'guest', access, delivery: 'inline' })
      return json.delivery.secret
    },
    way: (slug, secret) =>
      overHttp(`${serving.url}${slug === null ? '/gateway/mcp' : `/servers/${slug}/mcp`}`, {
        authorization: `Bearer ${secret}`,
      }),
  }
}
