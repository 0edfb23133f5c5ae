import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { invoke, refuseUnpermitted } from '../core/invoke.ts'
import type { AnyOperation } from '../core/operation.ts'
import { invokeWithPassword } from '../core/with-password.ts'
import { answerJson, pathOf } from '../http/answer.ts'
import { bearerOf } from '../http/bearer.ts'
import { readJsonOf } from '../http/body.ts'
import { callerFrom } from '../http/caller.ts'
import { nativeError } from '../http/errors.ts'
import type { Facts } from '../http/facts.ts'
import { withIdempotencyKey } from '../http/idempotency-key.ts'
import { boundsOf } from '../http/limits.ts'
import type { RawRoute } from '../http/server.ts'
import type { HttpFace } from '../http/types.ts'

interface NativeRoute {
  operation: AnyOperation
  template: string
  status: number
}

/**
 * `POST /v1/<name>`: every operation as plain JSON, on Node's own request because validation is measured by its
 * speed. The credential is judged before path and body (security R12).
 */
export function nativeApi(face: HttpFace, operations: readonly AnyOperation[]): RawRoute {
  const routes = new Map(operations.filter(isNative).map((operation) => [operation.name, routeOf(operation)]))
  return (request, response, facts) => {
    const path = pathOf(request)
    if (path !== '/v1' && !path.startsWith('/v1/')) return false
    const route = routes.get(path.slice(4))
    facts.route = route?.template ?? '/v1/*'
    void answer(face, request, response, facts, route)
    return true
  }
}

/** True for an operation that is offered below /v1. */
export function isNative({ faces }: AnyOperation): boolean {
  return faces === undefined || faces.includes('rest')
}

/** Where an operation is, and the status of its success. */
export function routeOf(operation: AnyOperation): NativeRoute {
  return { operation, template: `/v1/${operation.name}`, status: operation.effect === 'create' ? 201 : 200 }
}

async function answer(
  face: HttpFace,
  request: IncomingMessage,
  response: ServerResponse,
  facts: Facts,
  route: NativeRoute | undefined,
): Promise<void> {
  try {
    const asked = await askedOf(face, request, facts, route)
    const started = performance.now()
    const output = await asked.run()
    face.metrics.operation(asked.operation.name, (performance.now() - started) / 1_000)
    answerJson(request, response, asked.status, output)
  } catch (error) {
    if (!(error instanceof AppError)) face.log.error({ error, request_id: facts.requestId }, 'request failed')
    const sent = route?.operation.credential === undefined && bearerOf(request).sent
    const { status, body, headers } = nativeError(error, facts.requestId, sent)
    answerJson(request, response, status, body, headers)
  }
}

/** What is asked for by whom. Where people sign in with the body no other credential is looked at. */
async function askedOf(
  face: HttpFace,
  request: IncomingMessage,
  facts: Facts,
  route: NativeRoute | undefined,
) {
  const caller =
    route?.operation.credential === undefined ? await callerOf(face, request, facts, route) : stranger(facts)
  if (route === undefined) throw new AppError('not_found', 'There is no operation of that name below /v1.')
  if (request.method !== 'POST')
    throw new AppError('unsupported', 'Operations are called with POST.', { reason: 'method' })
  const { operation, status } = route
  if (operation.large) await refuseUnpermitted(face.core, caller, operation)
  const bounds = boundsOf(face.limits, operation)
  const body = await readJsonOf(request, bounds.bodyBytes, bounds)
  const input = operation.retryable === true ? withIdempotencyKey(request, body) : body
  const run = () =>
    operation.credential === undefined
      ? invoke(face.core, caller, operation, input)
      : invokeWithPassword(face.core, caller, operation, input)
  return { operation, status, run }
}

async function callerOf(
  face: HttpFace,
  request: IncomingMessage,
  facts: Facts,
  route: NativeRoute | undefined,
): Promise<Caller> {
  if (route?.operation.permission === 'public' && !bearerOf(request).sent) return stranger(facts)
  return callerFrom(request, face, 'v1', facts)
}

function stranger({ ip, requestId }: Facts): Caller {
  return { actor: { kind: 'nobody' }, via: 'v1', ip, client: null, request_id: requestId }
}
