import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { AppError } from '../core/errors.ts'
import { clientAddress } from './address.ts'
import { type Answer, answerJson, pathOf } from './answer.ts'
import { drained, type Open, refuseMalformed } from './connections.ts'
import { nativeError } from './errors.ts'
import { type Facts, keepFacts } from './facts.ts'
import { type Guard, makeGuard } from './guard.ts'
import { longestUrl, mostHeaders } from './limits.ts'
import type { HttpEnv, HttpFace } from './types.ts'

/** A route on Node's own request, asked before the app; true if it takes the request. */
export type RawRoute = (request: IncomingMessage, response: ServerResponse, facts: Facts) => boolean

/** How a family of routes words a refusal that comes before any code of its own runs (security R32). */
export interface Family {
  /** True for a path of the family, known or not. */
  owns(path: string): boolean
  refusal(error: AppError, requestId: string, path: string): Answer
  /** Lets pages of any origin call this path: it takes no credential a browser would add by itself (security R23). */
  anyOrigin?(path: string): boolean
}

export interface ServerOptions {
  host: string
  /** 0 = any free one. */
  port: number
  publicUrl?: string | undefined
  face: Pick<HttpFace, 'log' | 'allowedHosts' | 'allowedOrigins' | 'trustedProxies'> & {
    metrics?: HttpFace['metrics']
  }
  app: Hono<HttpEnv>
  raw?: RawRoute
  /** Families that do not word refusals as our own routes do; the first that owns a path words it. */
  families?: readonly Family[]
}

export interface OpenServer {
  /** `http://<address>:<port>`, without a path. */
  url: string
  port: number
  /** Lets the process end although the server still listens. */
  unref(): void
  /** Stops accepting, lets running requests end for 5 s, then cuts them off. */
  close(): Promise<void>
}

/** Listens, and lets through what Host, Origin and size allow; rejects if the port is taken. */
export async function openServer(options: ServerOptions): Promise<OpenServer> {
  const server = createServer({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 5_000,
    connectionsCheckingInterval: 5_000,
    maxHeaderSize: 16 * 1024,
    // Its absence is answered by the guard, in our own shape.
    requireHostHeader: false,
  })
  // One more than allowed, because Node drops the rest silently and a second Authorization may be in it.
  server.maxHeadersCount = mostHeaders + 1
  server.maxConnections = 2_000
  const openOf = refuseMalformed(server)
  await listening(server, options)
  const { port } = server.address() as AddressInfo
  const handle = handler(options, makeGuard({ ...options.face, ...options, port }), openOf)
  server.on('request', handle)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= 1024 * 1024) response.writeContinue()
    handle(request, response)
  })
  const name = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `http://${name}:${port}`,
    port,
    unref: () => void server.unref(),
    close: () => drained(server),
  }
}

function listening(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function handler(
  { face, app, raw, families = [] }: ServerOptions,
  guard: Guard,
  openOf: (socket: Socket) => Open,
) {
  const respond = getRequestListener((request, env) => app.fetch(request, env), {
    // Bodies nobody reads are looked after in `leaveBody`, which stops earlier.
    autoCleanupIncoming: false,
    errorHandler: () => new Response(null, { status: 400 }),
  })
  return (request: IncomingMessage, response: ServerResponse) => {
    const facts: Facts = {
      requestId: `req_${randomUUID()}`,
      ip: clientAddress(request, face.trustedProxies),
      route: 'refused',
      actor: null,
    }
    observe(face, request, response, { facts, open: openOf(request.socket) })
    const owner = () => families.find((one) => one.owns(pathOf(request)))
    const anyOrigin = () => owner()?.anyOrigin?.(pathOf(request)) === true
    const refused = refusal(request, guard(request, anyOrigin))
    if (refused !== undefined) {
      const path = pathOf(request)
      const { status, body, headers } =
        owner()?.refusal(refused, facts.requestId, path) ?? nativeError(refused, facts.requestId)
      answerJson(request, response, status, body, { ...headers, connection: 'close' })
      return
    }
    if (raw?.(request, response, facts) === true) return
    keepFacts(request, facts)
    void respond(request, response)
  }
}

function refusal(request: IncomingMessage, isOurs: boolean): AppError | undefined {
  if (!isOurs) return foreign
  if ((request.url ?? '').length > longestUrl) {
    return new AppError('too_large', `The URL is longer than ${longestUrl} characters.`, { reason: 'url' })
  }
  if (request.rawHeaders.length > 2 * mostHeaders) {
    return new AppError('too_large', `The request has more than ${mostHeaders} headers.`, {
      reason: 'headers',
    })
  }
  return undefined
}

const foreign = new AppError(
  'forbidden',
  'The Host or the Origin of this request is not on the list of this server. Its operator adds names with --allowed-host and --allowed-origin.',
  { reason: 'foreign' },
)

/** One line per request in the access log, and one count; both hold the route's template, never the URL (security R9). */
function observe(
  { log, metrics }: ServerOptions['face'],
  request: IncomingMessage,
  response: ServerResponse,
  { facts, open }: { facts: Facts; open: Open },
): void {
  const started = performance.now()
  open.answers += 1
  response.on('close', () => {
    open.answers -= 1
    const { statusCode: status } = response
    const { requestId: request_id, route, actor } = facts
    metrics?.request(route, status)
    const ms = Math.round((performance.now() - started) * 10) / 10
    log.request({ request_id, method: request.method, route, status, ms, actor })
  })
}
