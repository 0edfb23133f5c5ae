import type { LimitState } from '../domain/use-limits.ts'

/**
 * The headers that tell where a token stands against its limits (draft-ietf-httpapi-ratelimit-headers-06, in seconds).
 * Where all uses are used up for ever there is no time to name: neither `ratelimit-reset` nor `retry-after`.
 */
export function rateHeaders({ limit, remaining, reset, retry_after }: LimitState): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    ...(reset === null ? {} : { 'ratelimit-reset': String(reset) }),
    ...(retry_after === null ? {} : { 'retry-after': String(retry_after) }),
  }
}
