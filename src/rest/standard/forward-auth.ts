import type { IncomingMessage, ServerResponse } from 'node:http'
import { reached, unauthenticated } from '../../core/authenticate.ts'
import { AppError } from '../../core/errors.ts'
import { type Identity, identityOf } from '../../core/identity.ts'
import { reasonOf } from '../../domain/verdict.ts'
import { type Answer, answerEmpty, answerJson, pathOf } from '../../http/answer.ts'
import { bearerOf } from '../../http/bearer.ts'
import type { Facts } from '../../http/facts.ts'
import { type Judged, judgedFrom, refusalOf } from '../../http/judged.ts'
import { rateHeaders } from '../../http/rate-headers.ts'
import type { Family, RawRoute } from '../../http/server.ts'
import type { HttpFace } from '../../http/types.ts'
import { askedOf } from './asked.ts'
import { forwardError } from './forward-words.ts'
import { identityHeaders } from './identity-headers.ts'

const base = '/auth/verify'

function owns(path: string): boolean {
  return path.startsWith(base) && (path.length === base.length || path.charAt(base.length) === '/')
}

/**
 * `/auth/verify` and `/auth/verify/<server>`, by any method: whether the token of a request that a proxy holds may pass,
 * as a status, and whose it is, as headers. The token itself is the only credential; a body is not read.
 */
export function forwardAuth(face: HttpFace): RawRoute {
  return (request, response, facts) => {
    const path = pathOf(request)
    if (!owns(path)) return false
    facts.route = path.length === base.length ? base : `${base}/:server`
    void answer(face, request, response, facts)
    return true
  }
}

/** How the route words what is refused before its own code runs. */
export const forwardAuthFamily: Family = {
  owns,
  refusal: (error, requestId) => forwardError(error, requestId, false),
}

async function answer(
  face: HttpFace,
  request: IncomingMessage,
  response: ServerResponse,
  facts: Facts,
): Promise<void> {
  let limit: Answer['headers'] = {}
  try {
    const { contradicts, ...asked } = askedOf(request, pathOf(request), base)
    const judged = await judgedFrom(
      request,
      face,
      { via: 'forward_auth', ip: facts.ip, ...asked },
      { management: true, count: contradicts === undefined, note: contradicts === undefined },
    )
    facts.actor = judged.token.id
    if (judged.limit !== undefined) limit = rateHeaders(judged.limit)
    if (contradicts !== undefined)
      throw refusalOf(judged) ?? new AppError('forbidden', reasonOf(contradicts), { reason: contradicts })
    const identity = await passing(face, judged)
    answerEmpty(request, response, 200, { ...identityHeaders(identity), ...limit })
  } catch (error) {
    if (!(error instanceof AppError)) face.log.error({ error, request_id: facts.requestId }, 'request failed')
    const { status, body, headers } = forwardError(error, facts.requestId, bearerOf(request).sent)
    answerJson(request, response, status, body, { ...headers, ...limit })
  }
}

/** The identity behind a verdict that lets the request pass; any other verdict is thrown as a refusal. */
async function passing({ core }: HttpFace, judged: Judged): Promise<Identity> {
  const refusal = refusalOf(judged)
  if (refusal !== undefined) throw refusal
  const identity = await reached(identityOf(core, judged))
  if (identity === undefined) throw unauthenticated('invalid_token')
  return identity
}
