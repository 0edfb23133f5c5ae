import type { LimitState } from '../core/verify.ts'

/** placeholder until limits */
export function rateHeaders({ limit, remaining, reset }: LimitState): Record<string, string> {
  return {
    'ratelimit-limit': `${limit}`,
    'ratelimit-remaining': `${remaining}`,
    'ratelimit-reset': `${reset}`,
  }
}
