import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import Database from 'better-sqlite3'
import type { Role } from '../../src/core/permissions.ts'
import { rootApp } from '../../src/http/app.ts'
import { makeFace } from '../../src/http/face.ts'
import { openServer } from '../../src/http/server.ts'
import { makeLog } from '../../src/log.ts'
import { type McpHttpOptions, mcpFamily, mcpRoutes } from '../../src/mcp/http.ts'
import type { McpOptions } from '../../src/mcp/listed.ts'
import { makeProduct } from '../../src/mcp/product.ts'
import { database } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { plantKey } from '../support/world.ts'

/** What a person does with a form. */
export type Person = (form: { message: string; requestedSchema: object }) => object | Promise<object>

export interface McpServer {
  instance: Instance
  url: string
  /** A management key of that role; one per role. */
  key(role: Role): Promise<string>
  /** Sends one message as it is given; no Accept unless asked for. */
  send(
    secret: string | undefined,
    message: unknown,
    headers?: Record<string, string>,
    method?: string,
  ): Promise<Response>
  /** An official client, connected; `answer` is the person behind it, who can be asked then. */
  client(secret: string, answer?: Person): Promise<Client>
  /** Ends the MCP face alone, as the server does before it stops. */
  closeMcp(): Promise<void>
  close(): Promise<void>
}

/** MCP on a real port over a real store. */
export async function startMcp(
  options: Partial<McpHttpOptions & McpOptions> = {},
  on = database('sqlite'),
): Promise<McpServer> {
  const instance = await openInstance(on)
  const log = makeLog('debug', { write: (line) => instance.log.push(line) })
  const face = makeFace({ core: instance.core, log })
  const offered = { toolsets: [], readOnly: false, version: '1.2.3', ...options }
  const mcp = mcpRoutes(face, {
    surface: makeProduct(face.core, offered),
    sessions: 'on',
    maxSessions: 1_000,
    idleMs: 30 * 60_000,
    ...options,
  })
  const app = rootApp(face)
  const families = [mcpFamily]
  const server = await openServer({ host: '127.0.0.1', port: 0, face, app, raw: mcp.route, families })
  const url = `${server.url}/mcp`
  const keys = new Map<Role, string>()
  const clients: Client[] = []
  return {
    instance,
    url,
    async key(role) {
      const known = keys.get(role) ?? (await plantKey(instance, 'management', { role })).secret
      keys.set(role, known)
      return known
    },
    send(secret, message, headers = {}, method = 'POST') {
      const given = { ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }), ...headers }
      if (method !== 'POST') return fetch(url, { method, headers: given })
      const body = typeof message === 'string' ? message : JSON.stringify(message)
      return fetch(url, { method, headers: { 'content-type': 'application/json', ...given }, body })
    },
    async client(secret, answer) {
      const capabilities = answer === undefined ? {} : { elicitation: {} }
      const client = new Client({ name: 'test client', version: '9.9' }, { capabilities })
      if (answer !== undefined) {
        client.setRequestHandler(
          ElicitRequestSchema,
          async ({ params }) => (await answer(params as never)) as never,
        )
      }
      const requestInit = { headers: { authorization: `Bearer ${secret}` } }
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }) as never)
      clients.push(client)
      return client
    },
    closeMcp: () => mcp.close(),
    async close() {
      await Promise.all(clients.map((client) => client.close()))
      await mcp.close()
      await server.close()
      await instance.close()
    },
  }
}

/** Holds the write lock of the store, so that a change waits as long as a test needs it in flight. */
export function holdLock(instance: Instance): { release(): void } {
  const other = new Database(instance.place.location)
  other.exec('begin immediate')
  return {
    release() {
      other.exec('rollback')
      other.close()
    },
  }
}

export function rpcCall(id: number | string, name: string, args: object = {}) {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } }
}

/** Calls a tool in the two steps of those that destroy something. */
export async function confirmed(client: Client, name: string, args: object) {
  const shown = await client.callTool({ name, arguments: { ...args, dry_run: true } })
  const { preview } = shown.structuredContent as { preview: { confirm: string } }
  return client.callTool({ name, arguments: { ...args, confirm: preview.confirm } })
}

export const listCall = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

export const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}

/** Opens a session by hand and answers its id. */
export async function openSession(server: McpServer, secret: string): Promise<string> {
  const answer = await server.send(secret, initialize, bothTypes)
  await answer.text()
  return answer.headers.get('mcp-session-id') ?? ''
}

export const bothTypes = { accept: 'application/json, text/event-stream' }

/** The messages of an answer: those in the events of a finished stream, or the one JSON body. */
export async function messages(answer: Response): Promise<Record<string, never>[]> {
  const text = await answer.text()
  if (answer.headers.get('content-type') === 'application/json') return [JSON.parse(text)]
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ''))
}

/** Waits until something holds, at most `most` ms. */
export async function until(holds: () => boolean | Promise<boolean>, most = 5_000): Promise<void> {
  const end = Date.now() + most
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('it did not come to hold')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
