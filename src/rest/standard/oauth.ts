import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../../core/errors.ts'
import { answerEmpty, answerJson, pathOf } from '../../http/answer.ts'
import { bearerOf } from '../../http/bearer.ts'
import { callerFrom } from '../../http/caller.ts'
import type { Facts } from '../../http/facts.ts'
import type { Family, RawRoute } from '../../http/server.ts'
import type { HttpFace } from '../../http/types.ts'
import { introspect } from './introspect.ts'
import { revoke } from './revoke.ts'
import { oauthError } from './words.ts'

const endpoints = new Map([introspect, revoke].map((one) => [one.path, one]))

function owns(path: string): boolean {
  return path === '/oauth2' || path.startsWith('/oauth2/')
}

/** Introspection (RFC 7662) and revocation (RFC 7009). The credential is judged before path and body (security R12). */
export function oauthRoutes(face: HttpFace): RawRoute {
  return (request, response, facts) => {
    const path = pathOf(request)
    if (!owns(path)) return false
    facts.route = endpoints.get(path)?.path ?? '/oauth2/*'
    void answer(face, request, response, facts)
    return true
  }
}

/** How the endpoints word what is refused before their own code runs. */
export const oauthFamily: Family = {
  owns,
  refusal: (error, requestId) => oauthError(error, requestId, false),
}

async function answer(
  face: HttpFace,
  request: IncomingMessage,
  response: ServerResponse,
  facts: Facts,
): Promise<void> {
  try {
    const caller = await callerFrom(request, face, 'oauth2', facts, { basic: true })
    const endpoint = endpoints.get(pathOf(request))
    if (endpoint === undefined) throw new AppError('not_found', 'There is no such endpoint below /oauth2.')
    if (request.method !== 'POST')
      throw new AppError('unsupported', 'The endpoint is called with POST.', { reason: 'method' })
    const started = performance.now()
    const body = await endpoint.run(face, request, caller)
    face.metrics.operation(endpoint.operation.name, (performance.now() - started) / 1_000)
    if (body === undefined) answerEmpty(request, response, 200)
    else answerJson(request, response, 200, body)
  } catch (error) {
    if (!(error instanceof AppError)) face.log.error({ error, request_id: facts.requestId }, 'request failed')
    const { status, body, headers } = oauthError(error, facts.requestId, bearerOf(request).sent)
    answerJson(request, response, status, body, headers)
  }
}
