import type { Caller } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { pathOf } from '../http/answer.ts'
import { bearerOf } from '../http/bearer.ts'
import { readJsonOf } from '../http/body.ts'
import { callerFrom } from '../http/caller.ts'
import { answerWith } from '../http/exchange.ts'
import { rpc, rpcError, rpcRefusal } from '../http/rpc.ts'
import type { Family, RawRoute } from '../http/server.ts'
import type { HttpFace } from '../http/types.ts'
import { isLater, isSecondEra } from './era.ts'
import { type FirstOptions, firstRoutes } from './first/http.ts'
import { checkMessage } from './message.ts'
import type { Surface } from './surface.ts'
import type { EraRoutes, Visit } from './visit.ts'

export interface McpHttpOptions extends FirstOptions {
  surface: Surface
}

/** MCP over streamable HTTP at `/mcp`, both eras of it; `close` lets calls in flight end first. */
export function mcpRoutes(
  face: HttpFace,
  options: McpHttpOptions,
): { route: RawRoute; close(): Promise<void> } {
  const first = firstRoutes(face, options.surface, options)
  let second: Promise<EraRoutes> | undefined
  // Clients of the first era never pay for the second.
  const later = async () => {
    second ??= import('./second/http.ts').then(({ secondRoutes }) => secondRoutes(face, options.surface))
    return second
  }

  async function post(visit: Visit): Promise<void> {
    const read = checkMessage(await readJsonOf(visit.request, face.limits.bodyBytes))
    if ('refusal' in read) return answerWith(visit.request, visit.response, 400, read.refusal)
    const { message } = read
    // What ends with the connection would never end.
    if (visit.response.destroyed) return
    const era = isSecondEra(message, visit.request.headers['mcp-protocol-version']) ? await later() : first
    await era.post({ ...visit, message })
  }

  async function answer(visit: Omit<Visit, 'caller'>): Promise<void> {
    const { request, facts } = visit
    const caller: Caller = await callerFrom(request, face, 'mcp', facts)
    if (visit.response.destroyed) return
    const known = { ...visit, caller }
    if (request.method === 'POST') return post(known)
    const sessions = options.sessions === 'on' && !isLater(request.headers['mcp-protocol-version'])
    if (!sessions || (request.method !== 'GET' && request.method !== 'DELETE'))
      return refuseMethod(visit, sessions)
    return request.method === 'GET' ? first.listen(known) : first.end(known)
  }

  return {
    route(request, response, facts) {
      const path = pathOf(request)
      if (path !== '/mcp' && path !== '/mcp/') return false
      facts.route = '/mcp'
      const visit = { request, response, facts }
      void answer(visit).catch((error: unknown) => {
        if (!(error instanceof AppError))
          face.log.error({ error, request_id: facts.requestId }, 'mcp request failed')
        refuse(visit, error)
      })
      return true
    },
    async close() {
      await Promise.all([first.close(), second?.then((era) => era.close())])
    },
  }
}

function refuseMethod({ request, response }: Omit<Visit, 'caller'>, sessions: boolean): void {
  const [code, message] = sessions
    ? ([rpc.request, 'Method Not Allowed'] as const)
    : ([rpc.closed, 'There are no sessions here.'] as const)
  const allow = sessions ? 'GET, POST, DELETE' : 'POST'
  answerWith(request, response, 405, rpcError(code, message), { allow })
}

/** A request that was refused before any message of it was answered, as JSON-RPC without an id. */
function refuse({ request, response, facts }: Omit<Visit, 'caller'>, error: unknown): void {
  const { status, body, headers } = rpcRefusal(error, facts.requestId, bearerOf(request).sent)
  if (response.headersSent) response.destroy()
  else answerWith(request, response, status, body, headers)
}

/** The MCP endpoint, for what the server refuses before the endpoint is asked: a foreign Host or Origin, too long a URL. */
export const mcpFamily: Family = {
  owns: (path) => path === '/mcp' || path.startsWith('/mcp/'),
  refusal: (error, requestId) => rpcRefusal(error, requestId, false),
}
