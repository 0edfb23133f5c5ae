import type { LimitState } from '../../core/verify.ts'

/** What a limited answer says of the limit. */
export function rateHeaders({ limit, remaining, reset }: LimitState): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(reset),
  }
}
