import { z } from 'zod'

/** Limits as a caller gives them and is shown them; a member that is absent limits nothing. */
export const useLimitsSchema = z
  .strictObject({
    requests: z.int().min(1).max(1_000_000).optional().describe('In a window.'),
    per_seconds: z.int().min(1).max(86_400).optional().describe('Length of the window.'),
    max_uses: z.int().min(1).max(1_000_000_000).optional().describe('In its whole life.'),
  })
  .refine(({ requests, per_seconds }) => (requests === undefined) === (per_seconds === undefined), {
    message: 'give requests and per_seconds together',
  })
  .refine(({ requests, max_uses }) => requests !== undefined || max_uses !== undefined, {
    message: 'give requests and per_seconds, or max_uses; null lifts all limits',
  })

export type AskedLimits = z.output<typeof useLimitsSchema>

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

/** Limits as columns. */
export function limitColumns(asked: AskedLimits | null): UseLimits {
  const { requests = null, per_seconds = null, max_uses = null } = asked ?? {}
  return { limit_requests: requests, limit_seconds: per_seconds, max_uses }
}

/** Limits as they were asked for; null = none. */
export function limitsOf(limits: UseLimits): AskedLimits | null {
  const { limit_requests, limit_seconds, max_uses } = limits
  if (!isLimited(limits)) return null
  return {
    ...(limit_requests === null || limit_seconds === null
      ? {}
      : { requests: limit_requests, per_seconds: limit_seconds }),
    ...(max_uses === null ? {} : { max_uses }),
  }
}

/** Whether `inner` surely lets nothing through that `outer` refuses: no more requests, in windows that are no shorter. */
export function limitsWithin(inner: AskedLimits | null, outer: AskedLimits | null): boolean {
  const { requests = Infinity, per_seconds = 0, max_uses = Infinity } = inner ?? {}
  if (outer?.max_uses !== undefined && max_uses > outer.max_uses) return false
  if (outer?.requests === undefined || outer.per_seconds === undefined) return true
  return requests <= outer.requests && per_seconds >= outer.per_seconds
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

/** What was counted, as it is at `now`. */
export interface Usage {
  /** Requests in the window that runs. */
  window_count: number
  /** ms; null = no window is limited. */
  window_end: number | null
  uses: number
}

export function usageOf({ limit_seconds }: UseLimits, counted: Counted | undefined, now: number): Usage {
  const uses = counted?.uses ?? 0
  if (limit_seconds === null) return { window_count: 0, window_end: null, uses }
  const current = windowStart(now, limit_seconds)
  const runs = counted !== undefined && counted.window_start >= current
  // A window ahead of this clock is another node's, and it is the one that counts.
  const start = runs ? windowStart(counted.window_start, limit_seconds) : current
  return { window_count: runs ? counted.window_count : 0, window_end: start + limit_seconds * 1_000, uses }
}

function usesLeft({ max_uses }: UseLimits, counted: Counted | undefined): Quota | undefined {
  if (max_uses === null) return undefined
  return { limit: max_uses, remaining: Math.max(0, max_uses - (counted?.uses ?? 0)), reset: null }
}

function windowLeft(limits: UseLimits, counted: Counted | undefined, now: number): Quota | undefined {
  const { limit_requests } = limits
  const { window_count, window_end } = usageOf(limits, counted, now)
  if (limit_requests === null || window_end === null) return undefined
  const remaining = Math.max(0, limit_requests - window_count)
  return { limit: limit_requests, remaining, reset: Math.ceil((window_end - now) / 1_000) }
}
