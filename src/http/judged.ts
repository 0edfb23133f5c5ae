import type { IncomingMessage } from 'node:http'
import { reached, unauthenticated } from '../core/authenticate.ts'
import type { Via } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import type { Request, Verified, VerifyOptions } from '../core/verify.ts'
import { reasonOf, statusOf } from '../domain/verdict.ts'
import { bearerOf } from './bearer.ts'
import { factsOf } from './facts.ts'
import type { HttpFace } from './types.ts'

/** What was sent as credential, and what is asked about it. */
export interface Presented {
  via: Via
  ip: string | null
  server?: string | undefined
  tool?: string | undefined
}

/** A verdict on the secret of a request that is known and alive. */
export type Judged = Verified & { token: NonNullable<Verified['token']> }

/**
 * The verdict on a request's own secret, where a token is the credential: a value where it is about what the token may do
 * (200, 403, 429). Throws `unauthenticated` where the secret is no good, `rate_limited` after too many of those,
 * `unavailable` when the store is down.
 */
export async function judgedFrom(
  request: IncomingMessage,
  face: Pick<HttpFace, 'core' | 'failures' | 'requests'>,
  { via, ip, server, tool }: Presented,
  options: VerifyOptions = {},
): Promise<Judged> {
  const { secret, sent } = bearerOf(request)
  if (!sent) throw unauthenticated()
  const asked: Request = { ip }
  if (server !== undefined) asked.server = server
  if (tool !== undefined) asked.tool = tool
  const verified =
    secret === undefined ? undefined : await reached(face.core.verifier.verify(secret, asked, options))
  const token = verified?.token
  if (verified === undefined || token === undefined || statusOf(verified.verdict) === 401) {
    face.core.tallies.count({ action: 'authentication_failed', via, ip })
    await face.failures.count(ip)
    throw unauthenticated('invalid_token')
  }
  if (verified.verdict === 'ip_not_allowed')
    face.core.tallies.count({ action: 'authentication_from_other_address', via, ip })
  // However often a request asks about its secret, it is one request.
  const counting = options.earlier === undefined ? face.requests(token.id) : undefined
  if (counting !== undefined) await counting
  const facts = factsOf(request)
  if (facts !== undefined) facts.actor = token.id
  return verified as Judged
}

/** What a verdict that does not let the token through is answered with; undefined where it does. */
export function refusalOf({ verdict, token, limit }: Judged): AppError | undefined {
  if (verdict === 'ip_not_allowed') return new AppError('ip_not_allowed', reasonOf(verdict))
  if (token.kind === 'management') return new AppError('forbidden', 'A management key opens no server.')
  if (verdict === 'valid') return undefined
  const wait = limit?.retry_after ?? undefined
  return verdict === 'limit_reached'
    ? new AppError('rate_limited', reasonOf(verdict), {
        reason: verdict,
        ...(wait === undefined ? {} : { retry_after: wait }),
      })
    : new AppError('forbidden', reasonOf(verdict), { reason: verdict })
}
