import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js'
import type { ServeOptions } from '../../src/serve.ts'
import { type Answer, openServing, type Running } from '../http/serving.ts'
import type { Database } from '../support/databases.ts'
import { openUpstream, type Upstream } from './mcp-upstream.ts'

/** A gateway in front of two servers, `alpha` and `beta`. */
export interface Guarded extends Running {
  alpha: Upstream
  beta: Upstream
  /** Ids of the servers, by slug. */
  servers: Record<string, string>
  configId: string
  /** A new token of that reach, its id and its secret. */
  token(access: object, more?: object): Promise<{ id: string; secret: string }>
  /** One JSON-RPC message to an endpoint, as curl would send it. */
  rpc(path: string, secret: string | null, message: object, headers?: Record<string, string>): Promise<Answer>
  /** The official client, connected. */
  connect(path: string, secret: string, capabilities?: ClientCapabilities): Promise<Client>
}

/** Opens it on a fresh store. */
export async function openGuarded(database: Database, options: Partial<ServeOptions> = {}): Promise<Guarded> {
  const [alpha, beta] = [await openUpstream('alpha'), await openUpstream('beta')]
  const serving = await openServing(database, { allowedUpstreams: ['127.0.0.1'], ...options })
  const { call, send, url } = serving
  const made = await call('create_config', { name: 'both' })
  const configId = made.json.config.id as string
  const servers: Record<string, string> = {}
  for (const [name, upstream] of Object.entries({ alpha, beta })) {
    const added = await call('add_config_server', {
      config_id: configId,
      name,
      runs: { url: upstream.url, headers: { authorization: `Bearer upstream-${name}` } },
    })
    servers[name] = added.json.server.id
  }
  const clients: Client[] = []
  return {
    ...serving,
    alpha,
    beta,
    servers,
    configId,
    async token(access, more = {}) {
      const { json } = await call('create_token', { name: 'guest', access, delivery: 'inline', ...more })
      return { id: json.token.id, secret: json.delivery.secret }
    },
    rpc: (path, secret, message, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
          ...headers,
        },
        body: JSON.stringify(message),
      }),
    async connect(path, secret, capabilities = {}) {
      const client = new Client({ name: 'official', version: '1.0.0' }, { capabilities })
      clients.push(client)
      const requestInit = { headers: { authorization: `Bearer ${secret}` } }
      const transport = new StreamableHTTPClientTransport(new URL(`${url}${path}`), { requestInit })
      await client.connect(transport as never)
      return client
    },
    async close() {
      await Promise.all(clients.map((client) => client.close().catch(() => undefined)))
      await serving.close()
      await alpha.close()
      await beta.close()
    },
  }
}
