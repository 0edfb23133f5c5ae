import type { LimitState } from './told.ts'

/** What an answer says of the limits of its token; of a limit that never begins anew no time is told. */
export function limitHeaders(state: LimitState | null): Record<string, string> {
  if (state === null) return {}
  const { limit, remaining, reset, retry_after } = state
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    ...(reset === null ? {} : { 'ratelimit-reset': String(reset) }),
    ...(retry_after === null ? {} : { 'retry-after': String(retry_after) }),
  }
}
