import * as limits from '../../db/limits.ts'
import type { FoundToken, Lookups } from '../../db/lookup.ts'
import type { Store } from '../../db/open.ts'
import { countedState, type LimitState, stateOf, windowStart } from '../domain/use-limits.ts'

/** Uses of tokens that have limits. `now` is in ms. */
export interface Counting {
  /** Counts one use and stores it, or refuses it; a store that cannot be written throws, and nothing is let through. */
  count(token: FoundToken, now: number): Promise<LimitState>
  /** How the next use would fare; counts nothing. */
  look(token: FoundToken, now: number): Promise<LimitState>
}

/** Counts in the store, because all processes and nodes count together. */
export function makeCounting(store: Store, lookups: Lookups): Counting {
  return {
    count(token, now) {
      const { id, limit_requests, limit_seconds, max_uses } = token
      const window_start = limit_seconds === null ? 0 : windowStart(now, limit_seconds)
      return store.write(async (db) => {
        const counted = await limits.count(db, { token_id: id, window_start, limit_requests, max_uses })
        if (counted !== undefined) return countedState(token, counted, now)
        return { ...stateOf(token, await limits.find(db, id), now), reached: true }
      })
    },
    async look(token, now) {
      return stateOf(token, await lookups.counted([token.id]), now)
    },
  }
}
