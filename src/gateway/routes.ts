import { reached } from '../core/authenticate.ts'
import { AppError } from '../core/errors.ts'
import { pathOf } from '../http/answer.ts'
import { bearerOf } from '../http/bearer.ts'
import { answerWith } from '../http/exchange.ts'
import { rpcRefusal } from '../http/rpc.ts'
import type { Family, RawRoute } from '../http/server.ts'
import { makeSessions } from '../http/sessions.ts'
import type { HttpFace } from '../http/types.ts'
import type { Gate, Session, Visit } from './gate.ts'
import { introduction } from './initialize.ts'
import { makeLinks, type OpenRuns } from './links.ts'
import { headersOf } from './request.ts'
import { post } from './steps.ts'
import { endSession, listen } from './streams.ts'
import { watchSessions } from './watch.ts'

export interface GatewayOptions {
  open: OpenRuns
  sessions: 'on' | 'off'
  version: string
  maxSessions: number
  /** How long a session may be idle, ms. */
  idleMs: number
  /** How long a server may be silent during a call, ms. */
  timeout: number
  /** How long a shared link stays open without users, ms. */
  linkIdle: number
}

/** `/servers/<slug>/mcp` for one server, `/gateway/mcp` for all a token reaches. */
export function gatewayRoutes(
  face: HttpFace,
  options: GatewayOptions,
): { route: RawRoute; close(): Promise<void> } {
  const { core, log } = face
  const links = makeLinks({
    open: options.open,
    timeout: options.timeout,
    idle: options.linkIdle,
    clock: Date.now,
    log,
    introduction: introduction(options.version),
  })
  const sessions = makeSessions<Session>({
    max: options.maxSessions,
    idleMs: options.idleMs,
    clock: core.clock,
  })
  const gate: Gate = {
    face,
    links,
    sessions,
    sessionsOn: options.sessions === 'on',
    version: options.version,
    open: new Map(),
    lone: new Set(),
  }
  const watch = watchSessions(gate)
  return {
    route(request, response, facts) {
      const slug = slugOf(pathOf(request))
      if (slug === undefined) return false
      facts.route = slug === null ? '/gateway/mcp' : '/servers/:slug/mcp'
      void answer(gate, { request, response, facts, slug })
      return true
    },
    async close() {
      watch.stop()
      await sessions.close()
      await links.close()
    },
  }
}

async function answer(gate: Gate, visit: Visit): Promise<void> {
  const { request, facts } = visit
  try {
    if (request.method === 'POST') await reached(post(gate, visit))
    else if (request.method === 'GET') await reached(listen(gate, visit))
    else if (request.method === 'DELETE') await reached(endSession(gate, visit))
    else throw new AppError('unsupported', 'Method Not Allowed', { reason: 'method' })
  } catch (error) {
    if (!(error instanceof AppError))
      gate.face.log.error({ error, request_id: facts.requestId }, 'gateway request failed')
    refuse(gate, visit, error)
  }
}

function refuse({ sessionsOn }: Gate, visit: Visit, error: unknown): void {
  const { request, response, facts, limit } = visit
  const { status, body, headers } = rpcRefusal(error, facts.requestId, bearerOf(request).sent)
  const allow: Record<string, string> =
    status === 405 ? { allow: sessionsOn ? 'GET, POST, DELETE' : 'POST' } : {}
  // A token whose uses are all used up has no time to come back at.
  if (limit?.retry_after === null) delete headers['retry-after']
  if (response.headersSent) response.destroy()
  else answerWith(request, response, status, body, { ...headers, ...allow, ...headersOf(visit) })
}

/** The server in a path; null where all are one, undefined for a path that is not the gateway's. */
function slugOf(path: string): string | null | undefined {
  if (path === '/gateway/mcp') return null
  return /^\/servers\/([^/]{1,200})\/mcp$/.exec(path)?.[1]
}

/** The gateway's paths, for what the server refuses before the gateway is asked. */
export const gatewayFamily: Family = {
  owns: (path) => slugOf(path) !== undefined,
  refusal: (error, requestId) => rpcRefusal(error, requestId, false),
}
