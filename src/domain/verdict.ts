import { ipAllowed } from './ip-range.ts'
import { type ToolRules, toolAllowed } from './tool-rules.ts'

/** The answer to "may this secret do this": the first check that fails, in this order, or `valid` (security R30). */
export const verdicts = [
  'unknown',
  'revoked',
  'disabled',
  'owner_inactive',
  'not_yet_valid',
  'expired',
  'ip_not_allowed',
  'server_not_in_scope',
  'tool_not_in_scope',
  'limit_reached',
  'valid',
] as const

export type Verdict = (typeof verdicts)[number]
type Refusal = Exclude<Verdict, 'valid'>

/** What is known of a token when it is judged. */
export interface Candidate {
  revoked_at: string | null
  enabled: boolean
  owner_active: boolean
  not_before: string | null
  expires_at: string | null
  allowed_ips: readonly string[] | null
  tool_rules: ToolRules | null
}

/** What is asked. Times are ISO 8601 UTC with milliseconds. */
export interface Question {
  now: string
  /** Address the token is used from; `undefined` leaves addresses out of the question, null = not known. */
  ip?: string | null
  server?: {
    slug: string
    /** The server exists and is in the token's reach. */
    reached: boolean
  }
  tool?: string
  /** Present where the use counts against the token's own limits. */
  limit?: { reached: boolean }
}

export interface Step {
  check: Refusal
  outcome: 'passed' | 'failed' | 'not_asked'
}

type Check = (token: Candidate, question: Question) => boolean | undefined

/** True = passed, undefined = not asked. The order of these lines is the contract. */
const checks: [Refusal, Check][] = [
  ['revoked', (token) => token.revoked_at === null],
  ['disabled', (token) => token.enabled],
  ['owner_inactive', (token) => token.owner_active],
  ['not_yet_valid', (token, { now }) => token.not_before === null || token.not_before <= now],
  ['expired', (token, { now }) => token.expires_at === null || now < token.expires_at],
  ['ip_not_allowed', (token, { ip }) => (ip === undefined ? undefined : ipAllowed(token.allowed_ips, ip))],
  ['server_not_in_scope', (_, { server }) => server?.reached],
  [
    'tool_not_in_scope',
    (token, { server, tool }) =>
      tool === undefined ? undefined : toolAllowed(token.tool_rules, server?.slug ?? null, tool),
  ],
  ['limit_reached', (_, { limit }) => limit && !limit.reached],
]

/** Judges a token; an absent one is `unknown`. */
export function judge(token: Candidate | undefined, question: Question): Verdict {
  if (token === undefined) return 'unknown'
  for (const [refusal, passes] of checks) if (passes(token, question) === false) return refusal
  return 'valid'
}

/** Every check with its outcome, for callers who may read tokens. */
export function trace(token: Candidate | undefined, question: Question): Step[] {
  if (token === undefined) return [{ check: 'unknown', outcome: 'failed' }]
  const steps = checks.map(([check, passes]): Step => {
    const passed = passes(token, question)
    return { check, outcome: passed === undefined ? 'not_asked' : passed ? 'passed' : 'failed' }
  })
  return [{ check: 'unknown', outcome: 'passed' }, ...steps]
}

/** The HTTP status a verdict means: 401 the credential is no good, 403 it is good but not for this, 429 used up. */
export function statusOf(verdict: Verdict): 200 | 401 | 403 | 429 {
  if (verdict === 'valid') return 200
  if (verdict === 'limit_reached') return 429
  return verdict === 'ip_not_allowed' || verdict === 'server_not_in_scope' || verdict === 'tool_not_in_scope'
    ? 403
    : 401
}

const sentences: Record<Verdict, string> = {
  unknown: 'No token has this secret.',
  revoked: 'The token is revoked.',
  disabled: 'The token is disabled.',
  owner_inactive: "The token's owner is disabled or no longer a member of its project.",
  not_yet_valid: 'The token is not valid yet.',
  expired: 'The token is expired.',
  ip_not_allowed: "The address is not in the token's allowed_ips.",
  server_not_in_scope: 'The token does not reach this server.',
  tool_not_in_scope: "The token's tool rules do not allow this tool.",
  limit_reached: 'The token has reached its limit.',
  valid: 'The token is valid.',
}

/** A verdict as a sentence. */
export function reasonOf(verdict: Verdict): string {
  return sentences[verdict]
}

export type TokenStatus = 'active' | 'disabled' | 'expired' | 'revoked'

/** The state a token is shown in: revoked before disabled before expired before active. */
export function statusOfToken(
  token: Pick<Candidate, 'revoked_at' | 'enabled' | 'expires_at'>,
  now: string,
): TokenStatus {
  if (token.revoked_at !== null) return 'revoked'
  if (!token.enabled) return 'disabled'
  return token.expires_at !== null && token.expires_at <= now ? 'expired' : 'active'
}
