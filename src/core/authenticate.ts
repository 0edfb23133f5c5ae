import { isUnavailable } from '../../db/errors.ts'
import { statusOf } from '../domain/verdict.ts'
import type { Actor } from './actor.ts'
import { AppError, type ErrorCode } from './errors.ts'
import type { Verified, Verifier } from './verify.ts'

/**
 * Turns a Bearer secret into the actor it stands for; the same refusal for everything that is no good (R30). Where only
 * tokens are anything, a management key is no good either.
 */
export async function authenticate(
  verifier: Verifier,
  secret: string,
  ip: string | null,
  { tokensOnly = false } = {},
): Promise<Actor> {
  const verified = await reached(verifier.verify(secret, { ip }, { management: !tokensOnly }))
  if (verified.verdict === 'valid') return actorOf(verified)
  if (statusOf(verified.verdict) === 403) {
    throw new AppError('ip_not_allowed', 'This address is not in the allowed_ips of the credential.')
  }
  throw unauthenticated()
}

/** A store that is down is never a verdict on the credential (R18). */
export async function reached<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking
  } catch (cause) {
    if (!isUnavailable(cause)) throw cause
    throw new AppError('unavailable', 'The token store cannot be reached now. Try again in a few seconds.', {
      cause,
    })
  }
}

/** The one refusal for a missing or bad credential. */
export function unauthenticated(reason?: 'invalid_token'): AppError {
  return new AppError(
    'unauthenticated',
    'Send a valid credential as "Authorization: Bearer <secret>".',
    reason === undefined ? {} : { reason },
  )
}

const faults: readonly ErrorCode[] = ['invalid_input', 'too_large', 'unsupported']

/** A replaced secret is as good as none for all but its own, whatever else is wrong with the request (security R44). */
export function toPredecessor(actor: Actor, error: AppError): AppError {
  const isPredecessor = 'predecessor' in actor && actor.predecessor
  const isFault = faults.includes(error.code) || error.entity === 'endpoint'
  return isPredecessor && isFault ? unauthenticated() : error
}

function actorOf({ token, predecessor, candidate }: Verified): Actor {
  if (token === undefined || candidate === undefined) return { kind: 'nobody' }
  const { id, kind, role, project_id, expires_at, generation } = token
  const name = token.name ?? ''
  const { allowed_ips } = candidate
  if (kind !== 'management') {
    const { owner_id } = token
    return { kind, id, name, project_id, allowed_ips, expires_at, owner_id, generation, predecessor }
  }
  // The schema binds a role to the kind; without one it is nobody.
  return role === null
    ? { kind: 'nobody' }
    : { kind, role, id, name, project_id, allowed_ips, expires_at, key_generation: generation }
}
