/** What a token may be used: so many requests in a window, so many uses ever; null = any number. */
export interface UseLimits {
  limit_requests: number | null
  limit_seconds: number | null
  max_uses: number | null
}

/** What was counted against them. */
export interface Counted {
  /** Start of the window that was counted in last, ms. */
  window_start: number
  window_count: number
  /** All uses that were ever counted. */
  uses: number
}

/** Where a token stands against its limits, after the use that was counted or refused. */
export interface LimitState {
  /** The use was, or would be, refused. */
  reached: boolean
  /** The limit that is nearest to its end: requests in a window, or uses at all. */
  limit: number
  remaining: number
  /** Seconds until the window ends; null = the limit is one of uses, which never begins anew. */
  reset: number | null
  /** Seconds until a refused request may come again; null = it was not refused, or all uses are used up for ever. */
  retry_after: number | null
}

/** True if anything is to be counted. */
export function isLimited({ limit_requests, max_uses }: UseLimits): boolean {
  return limit_requests !== null || max_uses !== null
}

/** Start of the window a moment lies in, ms: windows are aligned, so that every node names the same ones. */
export function windowStart(now: number, seconds: number): number {
  const length = seconds * 1_000
  return Math.floor(now / length) * length
}

type Quota = Pick<LimitState, 'limit' | 'remaining' | 'reset'>

/** The state after `counted`, as it is at `now`; undefined = nothing was counted yet. */
export function stateOf(limits: UseLimits, counted: Counted | undefined, now: number): LimitState {
  const [uses, window] = [usesLeft(limits, counted), windowLeft(limits, counted, now)]
  const nearest =
    uses !== undefined && (window === undefined || uses.remaining <= window.remaining) ? uses : window
  if (nearest === undefined) throw new Error('a token without limits has no state')
  const reached = nearest.remaining === 0
  return { reached, ...nearest, retry_after: reached ? nearest.reset : null }
}

/** The state of a use that was let through. */
export function countedState(limits: UseLimits, counted: Counted, now: number): LimitState {
  return { ...stateOf(limits, counted, now), reached: false, retry_after: null }
}

function usesLeft({ max_uses }: UseLimits, counted: Counted | undefined): Quota | undefined {
  if (max_uses === null) return undefined
  return { limit: max_uses, remaining: Math.max(0, max_uses - (counted?.uses ?? 0)), reset: null }
}

function windowLeft(
  { limit_requests, limit_seconds }: UseLimits,
  counted: Counted | undefined,
  now: number,
): Quota | undefined {
  if (limit_requests === null || limit_seconds === null) return undefined
  const current = windowStart(now, limit_seconds)
  const later = counted !== undefined && counted.window_start >= current
  // A window ahead of this clock is another node's, and it is the one that counts.
  const start = later ? windowStart(counted.window_start, limit_seconds) : current
  const remaining = Math.max(0, limit_requests - (later ? counted.window_count : 0))
  return { limit: limit_requests, remaining, reset: Math.ceil((start + limit_seconds * 1_000 - now) / 1_000) }
}
