import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import { type Actor, actorId } from '../core/actor.ts'
import { authenticate, unauthenticated } from '../core/authenticate.ts'
import type { Caller, Via } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { bearerOrBasicOf, type Sent } from './basic.ts'
import { bearerOf } from './bearer.ts'
import { type Facts, factsOf } from './facts.ts'
import type { HttpEnv, HttpFace } from './types.ts'

type Asker = Pick<HttpFace, 'core' | 'failures' | 'requests'>

/** Which credentials are any where they are sent; absent = all. */
interface Accepts {
  tokensOnly?: boolean
  /** HTTP Basic with id and secret of a key as well. */
  basic?: boolean
}

/**
 * Who sent a request, by its credential alone (security R12). Throws `unauthenticated`, `ip_not_allowed`,
 * `rate_limited` after too many failures or requests, `unavailable`.
 */
export function callerOf(c: Context<HttpEnv>, face: Asker, via: Via): Promise<Caller> {
  const facts = factsOf(c.env.incoming) ?? { requestId: c.get('requestId'), ip: c.get('ip'), actor: null }
  return callerFrom(c.env.incoming, face, via, facts)
}

/** As `callerOf`, for a route that works on Node's own request; the facts are told who it is. */
export async function callerFrom(
  request: IncomingMessage,
  face: Asker,
  via: Via,
  from: Pick<Facts, 'requestId' | 'ip' | 'actor'>,
  accepts: Accepts = {},
): Promise<Caller> {
  const sent: Sent = accepts.basic === true ? bearerOrBasicOf(request) : bearerOf(request)
  if (!sent.sent) throw unauthenticated()
  const actor = await actorOf(face, { via, ip: from.ip, accepts }, sent)
  if ('id' in actor) {
    const counting = face.requests(actor.id)
    if (counting !== undefined) await counting
  }
  from.actor = actorId(actor)
  return { actor, via, ip: from.ip, client: null, request_id: from.requestId }
}

/** As `callerFrom`, for the secret of a key that came in a body. */
export async function callerWith(
  secret: string,
  face: Asker,
  via: Via,
  { requestId, ip }: Pick<Facts, 'requestId' | 'ip'>,
): Promise<Caller> {
  const actor = await actorOf(face, { via, ip, accepts: {} }, { secret, sent: true })
  if ('id' in actor) await face.requests(actor.id)
  return { actor, via, ip, client: null, request_id: requestId }
}

interface Way {
  via: Via
  ip: string | null
  accepts: Accepts
}

async function actorOf(face: Asker, { via, ip, accepts }: Way, { secret, holder }: Sent): Promise<Actor> {
  try {
    if (secret === undefined) throw unauthenticated()
    const actor = await authenticate(face.core.verifier, secret, ip, accepts)
    if (holder !== undefined && actorId(actor) !== holder) throw unauthenticated()
    return actor
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'ip_not_allowed')
      face.core.tallies.count({ action: 'authentication_from_other_address', via, ip })
    if (error.code !== 'unauthenticated') throw error
    face.core.tallies.count({ action: 'authentication_failed', via, ip })
    await face.failures.count(ip)
    throw new AppError('unauthenticated', error.message, { reason: 'invalid_token' })
  }
}
