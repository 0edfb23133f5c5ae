import { randomUUID } from 'node:crypto'
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js'
import { principalOf } from '../../core/actor.ts'
import type { Caller } from '../../core/context.ts'
import { AppError } from '../../core/errors.ts'
import { answerWith, openStream } from '../../http/exchange.ts'
import { isRequest } from '../../http/messages.ts'
import { rpc, rpcError } from '../../http/rpc.ts'
import { type Held, makeSessions } from '../../http/sessions.ts'
import type { HttpFace } from '../../http/types.ts'
import { exchangeOf } from '../answering.ts'
import type { Surface } from '../surface.ts'
import { type Delivery, type EraRoutes, mostStreams, patience, type Visit } from '../visit.ts'
import { drained, makeWire, type Wire } from '../wire.ts'
import { type Channel, makeChannel } from './channel.ts'
import { type Extra, makeFirst } from './server.ts'

export interface FirstOptions {
  /** `off` for several nodes behind one address: every request then stands alone. */
  sessions: 'on' | 'off'
  maxSessions: number
  /** How long a session may be idle, ms. */
  idleMs: number
}

interface Session extends Held {
  channel: Channel
  wire: Wire
  /** The caller of the latest request: who is told of changes. */
  caller: Caller
}

interface Routes extends EraRoutes {
  /** Opens the stream of a session (GET). */
  listen(visit: Visit): Promise<void>
  /** Ends a session at its client's wish (DELETE). */
  end(visit: Visit): Promise<void>
}

/** The first era (up to 2025-11-25) over HTTP, in sessions or without: JSON answers, streams once something comes before the answer. */
export function firstRoutes(face: HttpFace, surface: Surface, options: FirstOptions): Routes {
  const { core } = face
  const sessions = makeSessions<Session>({
    max: options.maxSessions,
    idleMs: options.idleMs,
    clock: core.clock,
  })
  const lone = new Set<Wire>()

  /** A server and its transport, for one session or one lone request (security R17). */
  async function connected(subscriptions?: Set<string>): Promise<{ channel: Channel; wire: Wire }> {
    const channel = makeChannel()
    const wire = makeWire(channel)
    await makeFirst(surface, { callerOf: callerIn, subscriptions }).connect(wire)
    return { channel, wire }
  }

  async function open(caller: Caller): Promise<Session> {
    const subscriptions = new Set<string>()
    const { channel, wire } = await connected(subscriptions)
    let unwatch: (() => void) | undefined
    const session: Session = {
      id: randomUUID(),
      principal: principalOf(caller.actor),
      channel,
      wire,
      caller,
      standing: false,
      touched: core.clock(),
      busy: () => wire.pending.size > 0,
      async end() {
        unwatch?.()
        await wire.close()
      },
    }
    sessions.add(session)
    unwatch = surface.watch?.(
      () => session.caller,
      (uri) => subscriptions.has(uri),
      (uri) => void channel.standing?.send(updated(uri)),
      // Nothing is looked up for whoever does not listen, or sessions without end would cost without a stream.
      () => subscriptions.size > 0 && channel.standing !== undefined,
    )
    return session
  }

  /** The session a request names; without one, or with another's, it is told the same. */
  function own({ request, caller }: Visit): Session | undefined {
    const id = request.headers['mcp-session-id']
    const session = typeof id === 'string' ? sessions.find(id, principalOf(caller.actor)) : undefined
    if (session !== undefined) session.caller = caller
    return session
  }

  async function post(delivery: Delivery): Promise<void> {
    const { request, message, caller } = delivery
    const starts = isRequest(message) && message.method === 'initialize'
    if (!starts && !knownVersion(delivery)) return unknownVersion(delivery)
    const named = options.sessions === 'on' && request.headers['mcp-session-id'] !== undefined
    if (!named && (!starts || options.sessions === 'off')) return alone(delivery)
    const session = named ? own(delivery) : await open(caller)
    if (session === undefined) return noSession(delivery)
    if (isRequest(message) && session.wire.pending.has(message.id))
      return refused(delivery, 400, rpc.request, 'A call with this id is still running; use each id once.')
    carry(delivery, session.channel, session.id)
  }

  function carry(delivery: Delivery, channel: Channel, sessionId?: string): void {
    const { request, response, message, caller } = delivery
    const left = new AbortController()
    response.once('close', () => left.abort())
    const extra = { authInfo: { token: '', clientId: '', scopes: [], extra: { caller, left: left.signal } } }
    if (isRequest(message)) channel.ask(message.id, message, exchangeOf(delivery, sessionId), extra)
    else {
      channel.tell(message, extra)
      answerWith(request, response, 202, undefined)
    }
  }

  /** A request without a session: a server and a transport of its own, ended with its answer. */
  async function alone(delivery: Delivery): Promise<void> {
    const { channel, wire } = await connected()
    lone.add(wire)
    const over = () => {
      lone.delete(wire)
      void wire.close()
    }
    delivery.response.once('close', over)
    carry(delivery, channel)
  }

  async function listen(visit: Visit): Promise<void> {
    if (!knownVersion(visit)) return unknownVersion(visit)
    const session = sessionNamed(visit)
    if (session === undefined) return
    if (sessions.streams(session.principal) >= mostStreams) {
      throw new AppError('rate_limited', `One credential holds at most ${mostStreams} standing streams.`)
    }
    const stream = openStream(visit.response, { 'mcp-session-id': session.id })
    session.channel.stand(stream)
    session.standing = true
    visit.response.once('close', () => {
      // A newer stream of the session stays.
      if (session.channel.standing !== stream) return
      session.channel.stand(undefined)
      session.standing = false
      session.touched = core.clock()
    })
  }

  async function end(visit: Visit): Promise<void> {
    const session = sessionNamed(visit)
    if (session === undefined) return
    await sessions.end(session)
    answerWith(visit.request, visit.response, 204, undefined)
  }

  /** The session of a request that needs one; without it the request is answered. */
  function sessionNamed(visit: Visit): Session | undefined {
    if (visit.request.headers['mcp-session-id'] === undefined) {
      refused(visit, 400, rpc.closed, 'Bad Request: Mcp-Session-Id header is required')
      return undefined
    }
    const session = own(visit)
    if (session === undefined) noSession(visit)
    return session
  }

  return {
    post,
    listen,
    end,
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

function updated(uri: string) {
  return { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } }
}

function knownVersion({ request }: Visit): boolean {
  const version = request.headers['mcp-protocol-version']
  return version === undefined || SUPPORTED_PROTOCOL_VERSIONS.includes(String(version))
}

function unknownVersion(visit: Visit): void {
  const known = SUPPORTED_PROTOCOL_VERSIONS.join(', ')
  refused(visit, 400, rpc.closed, `Bad Request: Unsupported protocol version (supported versions: ${known})`)
}

/** The wording and number clients of the protocol know; it never comes with 401 (mctx:mcp:status:401-only). */
function noSession(visit: Visit): void {
  refused(visit, 404, -32001, 'Session not found')
}

function refused({ request, response }: Visit, status: number, code: number, message: string): void {
  answerWith(request, response, status, rpcError(code, message))
}
