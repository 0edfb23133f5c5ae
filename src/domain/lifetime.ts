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
  /** No token without an end, however far away. */
  require_expiry?: boolean
  /** The end of the caller's own credential; nothing it makes lives longer (security R15). */
  own_end: string | null
}

/** What is wrong with an expiry: a sentence, and the rule that one member of the input breaks, as the end of a sentence. */
export interface ExpiryProblem {
  problem: string
  member: 'expires_at' | 'expires_in_days'
  rule: string
  /** The rule of the policy that allows no token without an end. */
  policy?: keyof typeof permanentRefused
}

export type Expiry = { expires_at: string | null } | ExpiryProblem

const dayMs = 86_400_000

/** The same instant that many days of 86,400 s later. */
export function daysAfter(now: string, days: number): string {
  return new Date(Date.parse(now) + days * dayMs).toISOString()
}

/** The sentences every face uses when a token without an end is refused, by the rule that does. */
const permanentRefused = {
  max_lifetime_days: 'Tokens without an expiry are not allowed here: max_lifetime_days is set.',
  require_expiry: 'Tokens without an expiry are not allowed here: require_expiry is set.',
} as const

/** When a token asked for like this ends. What was asked for is granted or refused, never shortened. */
export function expiryOf(asked: AskedExpiry, bounds: Bounds): Expiry {
  const { now, max_lifetime_days, require_expiry = false, own_end } = bounds
  if (asked.expires_at !== undefined && asked.expires_in_days !== undefined) {
    return wrong('give expires_at or expires_in_days, not both', 'must not be given beside expires_in_days')
  }
  const latest = max_lifetime_days === null ? null : daysAfter(now, max_lifetime_days)
  const wanted =
    asked.expires_in_days !== undefined ? daysAfter(now, asked.expires_in_days) : asked.expires_at
  if (wanted === undefined) {
    return { expires_at: earliest(daysAfter(now, bounds.default_lifetime_days), latest, own_end) }
  }
  if (wanted === null) {
    if (latest !== null) return endless('max_lifetime_days')
    return require_expiry ? endless('require_expiry') : { expires_at: null }
  }
  if (wanted <= now) return wrong('the time in expires_at must lie in the future', 'must lie in the future')
  if (latest !== null && wanted > latest) return tooLong(asked, max_lifetime_days)
  return { expires_at: wanted }
}

function tooLong({ expires_in_days }: AskedExpiry, most: number | null): ExpiryProblem {
  const problem = `a token may live ${most} days at most here (setting max_lifetime_days)`
  return expires_in_days === undefined
    ? wrong(problem, `must lie at most ${most} days ahead`)
    : { problem, member: 'expires_in_days', rule: `must be a whole number from 1 to ${most}` }
}

function endless(policy: keyof typeof permanentRefused): ExpiryProblem {
  return { ...wrong(permanentRefused[policy], `must be a time: ${policy} is set`), policy }
}

function wrong(problem: string, rule: string): ExpiryProblem {
  return { problem, member: 'expires_at', rule }
}

function earliest(first: string, ...others: (string | null)[]): string {
  return others.reduce<string>((soonest, at) => (at !== null && at < soonest ? at : soonest), first)
}
