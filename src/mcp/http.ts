import { randomUUID } from 'node:crypto'
import { WebStandardStreamableHTTPServerTransport as HttpTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import {
  isInitializeRequest,
  isJSONRPCRequest,
  type JSONRPCMessage,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/sdk/types.js'
import { type Context, Hono } from 'hono'
import { type Actor, actorId } from '../core/actor.ts'
import type { Caller } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { readJson } from '../http/body.ts'
import { callerOf } from '../http/caller.ts'
import { rpc } from '../http/rpc.ts'
import { type Held, makeSessions } from '../http/sessions.ts'
import type { HttpEnv, HttpFace } from '../http/types.ts'
import { type Extra, makeServer } from './binding.ts'
import { asJson, handOn } from './exchange.ts'
import { refusedBy, refusedRequest } from './http-refusals.ts'
import { checkMessage } from './message.ts'
import { makeTable } from './table.ts'
import { chosen, type McpOptions } from './toolsets.ts'
import { drained, makeWire, type Wire } from './wire.ts'

export interface McpHttpOptions extends McpOptions {
  /** `off` for several nodes behind one address: every request then stands alone. */
  sessions: 'on' | 'off'
  maxSessions: number
  /** How long a session may be idle, ms. */
  idleMs: number
}

type Request = Context<HttpEnv>

interface Session extends Held {
  transport: HttpTransport
  wire: Wire
}

/** Most standing streams of one credential (security R26). */
const mostStreams = 10

/** How long calls may take to end once the server closes, ms; less than the server itself has patience for. */
const patience = 4_000

/** MCP over streamable HTTP at `/`; `close` lets calls in flight end, and answers those that take longer with an error. */
export function mcpRoutes(
  face: HttpFace,
  options: McpHttpOptions,
): { app: Hono<HttpEnv>; close(): Promise<void> } {
  const { core, limits, log } = face
  const table = makeTable(chosen(options))
  const sessions = makeSessions<Session>({
    max: options.maxSessions,
    idleMs: options.idleMs,
    clock: core.clock,
  })
  const lone = new Set<Wire>()

  /** A server and its transport, for one session or one lone request (security R17). */
  async function connected(transport: HttpTransport): Promise<Wire> {
    const wire = makeWire(transport)
    await makeServer({ core, table, version: options.version, callerOf: callerIn }).connect(wire)
    return wire
  }

  async function open(caller: Caller): Promise<Session> {
    const id = randomUUID()
    const transport = new HttpTransport({ sessionIdGenerator: () => id })
    const wire = await connected(transport)
    const session: Session = {
      id,
      principal: principalOf(caller.actor),
      transport,
      wire,
      standing: false,
      touched: core.clock(),
      busy: () => wire.pending.size > 0,
      end: () => wire.close(),
    }
    sessions.add(session)
    return session
  }

  /** The session a request names; without one, or with another's, it is told the same. */
  function own(c: Request, { actor }: Caller): Session | undefined {
    return sessions.find(c.req.header('mcp-session-id') ?? '', principalOf(actor))
  }

  async function post(c: Request, caller: Caller): Promise<Response> {
    const read = checkMessage(await readJson(c, limits.bodyBytes))
    if ('refusal' in read) return refusedBy(400, read.refusal.error.code, read.refusal.error.message)
    const { message } = read
    const starts = isInitializeRequest(message)
    if (!starts && !knownVersion(c)) return unknownVersion()
    const named = options.sessions === 'on' && c.req.header('mcp-session-id') !== undefined
    if (!named && (!starts || options.sessions === 'off')) return alone(c, caller, message)
    const session = named ? own(c, caller) : await open(caller)
    if (session === undefined) return noSession()
    if (isJSONRPCRequest(message) && session.wire.pending.has(message.id)) {
      return refusedBy(400, rpc.request, 'A call with this id is still running; use each id once.')
    }
    const answer = await handOn(c, session.transport, caller, message)
    // A predecessor's refusal is a status, which a stream could not carry any more.
    return wantsStream(c) && !isPredecessor(caller.actor) ? answer : asJson(answer)
  }

  async function alone(c: Request, caller: Caller, message: JSONRPCMessage): Promise<Response> {
    const transport = new HttpTransport({ enableJsonResponse: true })
    const wire = await connected(transport)
    lone.add(wire)
    try {
      return await asJson(await handOn(c, transport, caller, message))
    } finally {
      lone.delete(wire)
      await wire.close()
    }
  }

  async function listen(c: Request, caller: Caller): Promise<Response> {
    if (!knownVersion(c)) return unknownVersion()
    if (options.sessions === 'off')
      return refusedBy(405, rpc.closed, 'There are no sessions here.', { allow: 'POST' })
    if (c.req.header('mcp-session-id') === undefined) return needsSession()
    const session = own(c, caller)
    if (session === undefined) return noSession()
    if (sessions.streams(session.principal) >= mostStreams) {
      throw new AppError('rate_limited', `One credential holds at most ${mostStreams} standing streams.`)
    }
    const answer = await handOn(c, session.transport, caller, undefined)
    if (answer.ok) {
      session.standing = true
      c.env.outgoing.once('close', () => {
        session.standing = false
        session.touched = core.clock()
      })
    }
    return answer
  }

  async function end(c: Request, caller: Caller): Promise<Response> {
    if (options.sessions === 'off')
      return refusedBy(405, rpc.closed, 'There are no sessions here.', { allow: 'POST' })
    if (c.req.header('mcp-session-id') === undefined) return needsSession()
    const session = own(c, caller)
    if (session === undefined) return noSession()
    await sessions.end(session)
    return new Response(null, { status: 204 })
  }

  async function answer(c: Request): Promise<Response> {
    const caller = await callerOf(c, face, 'mcp')
    if (c.req.method === 'POST') return post(c, caller)
    if (c.req.method === 'GET') return listen(c, caller)
    if (c.req.method === 'DELETE') return end(c, caller)
    return refusedBy(405, rpc.request, 'Method Not Allowed', { allow: 'GET, POST, DELETE' })
  }

  const app = new Hono<HttpEnv>()
  app.all('/', async (c) => {
    const made = await answer(c).catch((error: unknown) => {
      if (!(error instanceof AppError))
        log.error({ error, request_id: c.get('requestId') }, 'mcp request failed')
      return refusedRequest(c, error)
    })
    made.headers.set('cache-control', 'no-store')
    return made
  })
  return {
    app,
    async close() {
      await drained(() => [...sessions.all().map(({ wire }) => wire), ...lone], patience)
      await Promise.all([sessions.close(), ...[...lone].map((wire) => wire.close())])
    },
  }
}

/** Each request of a session brings its own caller; none is kept between them (security R12, R17). */
function callerIn({ authInfo }: Extra): Caller {
  return authInfo?.extra?.['caller'] as Caller
}

function principalOf(actor: Actor): string {
  return `${actor.kind} ${actorId(actor)}`
}

function isPredecessor(actor: Actor): boolean {
  return 'predecessor' in actor && actor.predecessor
}

function wantsStream(c: Request): boolean {
  return c.req.header('accept')?.includes('text/event-stream') === true
}

function knownVersion(c: Request): boolean {
  const version = c.req.header('mcp-protocol-version')
  return version === undefined || SUPPORTED_PROTOCOL_VERSIONS.includes(version)
}

function unknownVersion(): Response {
  const known = SUPPORTED_PROTOCOL_VERSIONS.join(', ')
  return refusedBy(
    400,
    rpc.closed,
    `Bad Request: Unsupported protocol version (supported versions: ${known})`,
  )
}

function needsSession(): Response {
  return refusedBy(400, rpc.closed, 'Bad Request: Mcp-Session-Id header is required')
}

/** The wording and number clients of the protocol know; it never comes with 401 (mctx:mcp:status:401-only). */
function noSession(): Response {
  return refusedBy(404, -32001, 'Session not found')
}
