/** What a caller asks for; null = for ever, both absent = the default. */
export interface AskedExpiry {
  expires_at?: string | null | undefined
  expires_in_days?: number | undefined
}

/** The policy and the caller's own bounds. */
export interface Bounds {
  /** ISO 8601 UTC. */
  now: string
  default_lifetime_days: number
  max_lifetime_days: number | null
  /** The end of the caller's own credential; nothing it makes lives longer (security R15). */
  own_end: string | null
}

export type Expiry = { expires_at: string | null } | { problem: string }

const dayMs = 86_400_000

/** The same instant that many days of 86,400 s later. */
export function daysAfter(now: string, days: number): string {
  return new Date(Date.parse(now) + days * dayMs).toISOString()
}

/** The sentence every face uses when a token without an end is refused. */
export const permanentRefused = 'Tokens without an expiry are not allowed here: max_lifetime_days is set.'

/** When a token asked for like this ends. What was asked for is granted or refused, never shortened. */
export function expiryOf(asked: AskedExpiry, bounds: Bounds): Expiry {
  const { now, max_lifetime_days, own_end } = bounds
  if (asked.expires_at !== undefined && asked.expires_in_days !== undefined) {
    return { problem: 'give expires_at or expires_in_days, not both' }
  }
  const latest = max_lifetime_days === null ? null : daysAfter(now, max_lifetime_days)
  const wanted =
    asked.expires_in_days !== undefined ? daysAfter(now, asked.expires_in_days) : asked.expires_at
  if (wanted === undefined) {
    return { expires_at: earliest(daysAfter(now, bounds.default_lifetime_days), latest, own_end) }
  }
  if (wanted === null) return latest === null ? { expires_at: null } : { problem: permanentRefused }
  if (wanted <= now) return { problem: 'the expiry must lie in the future' }
  if (latest !== null && wanted > latest) {
    return { problem: `a token may live ${max_lifetime_days} days at most here (setting max_lifetime_days)` }
  }
  return { expires_at: wanted }
}

function earliest(first: string, ...others: (string | null)[]): string {
  return others.reduce<string>((soonest, at) => (at !== null && at < soonest ? at : soonest), first)
}
