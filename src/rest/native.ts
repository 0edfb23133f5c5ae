import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { invoke } from '../core/invoke.ts'
import type { AnyOperation } from '../core/operation.ts'
import { answerJson, pathOf } from '../http/answer.ts'
import { bearerOf } from '../http/bearer.ts'
import { readJsonOf } from '../http/body.ts'
import { callerFrom } from '../http/caller.ts'
import { nativeError } from '../http/errors.ts'
import type { Facts } from '../http/facts.ts'
import { withIdempotencyKey } from '../http/idempotency-key.ts'
import type { RawRoute } from '../http/server.ts'
import type { HttpFace } from '../http/types.ts'

interface Route {
  operation: AnyOperation
  template: string
  status: number
}

/**
 * `POST /v1/<name>`: every operation as plain JSON, on Node's own request because validation is measured by its
 * speed. The credential is judged before path and body (security R12).
 */
export function nativeApi(face: HttpFace, operations: readonly AnyOperation[]): RawRoute {
  const routes = new Map(
    operations.filter(isOffered).map((operation) => [operation.name, routeOf(operation)]),
  )
  return (request, response, facts) => {
    const path = pathOf(request)
    if (path !== '/v1' && !path.startsWith('/v1/')) return false
    const route = routes.get(path.slice(4))
    facts.route = route?.template ?? '/v1/*'
    void answer(face, request, response, facts, route)
    return true
  }
}

function isOffered({ faces }: AnyOperation): boolean {
  return faces === undefined || faces.includes('rest')
}

function routeOf(operation: AnyOperation): Route {
  return { operation, template: `/v1/${operation.name}`, status: operation.effect === 'create' ? 201 : 200 }
}

async function answer(
  face: HttpFace,
  request: IncomingMessage,
  response: ServerResponse,
  facts: Facts,
  route: Route | undefined,
): Promise<void> {
  try {
    const caller = await callerOf(face, request, facts, route)
    if (route === undefined) throw new AppError('not_found', 'There is no operation of that name below /v1.')
    if (request.method !== 'POST')
      throw new AppError('unsupported', 'Operations are called with POST.', { reason: 'method' })
    const body = await readJsonOf(request, face.limits.bodyBytes, face.limits)
    const input = route.operation.retryable === true ? withIdempotencyKey(request, body) : body
    const started = performance.now()
    const output = await invoke(face.core, caller, route.operation, input)
    face.metrics.operation(route.operation.name, (performance.now() - started) / 1_000)
    answerJson(request, response, route.status, output)
  } catch (error) {
    if (!(error instanceof AppError)) face.log.error({ error, request_id: facts.requestId }, 'request failed')
    const { status, body, headers } = nativeError(error, facts.requestId, bearerOf(request).sent)
    answerJson(request, response, status, body, headers)
  }
}

async function callerOf(
  face: HttpFace,
  request: IncomingMessage,
  facts: Facts,
  route: Route | undefined,
): Promise<Caller> {
  const stranger = route?.operation.permission === 'public' && !bearerOf(request).sent
  if (stranger)
    return { actor: { kind: 'nobody' }, via: 'v1', ip: facts.ip, client: null, request_id: facts.requestId }
  const caller = await callerFrom(request, face, 'v1', facts)
  facts.actor = 'id' in caller.actor ? caller.actor.id : null
  return caller
}
