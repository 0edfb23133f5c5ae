import { AppError } from '../../core/errors.ts'
import type { Effect } from '../../core/operation.ts'
import type { StatusOf } from './described.ts'

interface Facts {
  effect: Effect
  public: boolean
  /** It reads a body. */
  body: boolean
  query: boolean
  /** It names things, in its path or its body. */
  names: boolean
  retryable: boolean
  /** It answers whole lists. */
  all: boolean
}

/** The statuses a route may refuse with, in ascending order, as its family words them. */
export function refusalsOf(facts: Facts, statusOf: StatusOf): number[] {
  const statuses = examples(facts).map(statusOf)
  return [...new Set(statuses)].sort((a, b) => a - b)
}

/** One refusal of each kind the route can meet. */
function examples({ effect, public: open, body, query, names, retryable, all }: Facts): AppError[] {
  const refuse = (code: AppError['code'], reason?: string) =>
    new AppError(code, '', { entity: 'token', ...(reason === undefined ? {} : { reason }) })
  const states = names && effect !== 'read'
  return [
    refuse('unauthenticated'),
    refuse('rate_limited'),
    refuse('internal'),
    refuse('unavailable'),
    ...(open ? [] : [refuse('forbidden'), refuse('ip_not_allowed')]),
    ...(body || query || names ? [refuse('invalid_input')] : []),
    ...(query || names ? [refuse('not_found')] : []),
    ...(names ? [refuse('gone')] : []),
    ...(body
      ? [refuse('too_large'), refuse('too_large', 'complex'), refuse('unsupported', 'media_type')]
      : []),
    ...(states ? [refuse('conflict', 'race'), refuse('conflict', 'revoked')] : []),
    ...(retryable ? [refuse('already_done')] : []),
    ...(all ? [refuse('conflict', 'too_many')] : []),
  ]
}
