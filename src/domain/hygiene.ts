import { daysAfter } from './lifetime.ts'
import { type PolicyFacts, violationsOf, wokenAt } from './policy.ts'
import type { Policy } from './settings.ts'

export const severities = ['high', 'medium', 'low'] as const
export type Severity = (typeof severities)[number]

/** Everything that may be wrong with a token, what matters most first: findings of one token come in this order. */
export const severityOf = {
  leaked: 'high',
  owner_inactive: 'high',
  max_lifetime_days: 'high',
  require_expiry: 'high',
  require_allowed_ips: 'high',
  max_live_tokens_per_owner: 'high',
  dormant_days: 'medium',
  no_expiry: 'medium',
  all_servers: 'medium',
  predecessor_open: 'low',
  unused: 'low',
  rotation_due: 'low',
  same_name: 'low',
  expired: 'low',
} as const satisfies Record<string, Severity>

export type LintRule = keyof typeof severityOf
export const lintRules = Object.keys(severityOf) as LintRule[]

/** With one of these a token is not rotated. */
export const unrenewable: readonly LintRule[] = [
  'max_lifetime_days',
  'require_expiry',
  'require_allowed_ips',
  'max_live_tokens_per_owner',
]

/** What is looked at of a token; times are ISO 8601 UTC. */
export interface LintFacts extends PolicyFacts {
  kind: string
  enabled: boolean
  revoked_at: string | null
  leaked_at: string | null
  previous_until: string | null
  all_servers: boolean
  owner_active: boolean
  /** An older live token has the same name. */
  same_name: boolean
  /** The bound on the live tokens of its owner, where others of them come before this one. */
  beyond: number | null
}

export interface Finding {
  rule: LintRule
  /** A sentence. */
  detail: string
}

/** Days after which nobody seems to need a token, and after which its secret is old. */
const longDays = 90
/** Days after its end. */
const deadDays = 30

/** What is wrong with a token, most important first; a revoked one has nothing, one that is off or over opens nothing. */
export function findingsOf(token: LintFacts, policy: Policy, now: string): Finding[] {
  const { expires_at } = token
  if (token.revoked_at !== null) return []
  if (expires_at !== null && expires_at <= now) {
    if (expires_at > daysAfter(now, -deadDays)) return []
    return [{ rule: 'expired', detail: `The token expired on ${expires_at} and is still kept.` }]
  }
  const crowded: Finding[] =
    token.beyond === null
      ? []
      : [
          {
            rule: 'max_live_tokens_per_owner',
            detail: `The owner has more live tokens than max_live_tokens_per_owner (${token.beyond}) allows, and needed others more lately.`,
          },
        ]
  if (!token.enabled) return crowded
  const found = [...violationsOf(token, policy, now), ...crowded, ...hygieneOf(token, now)]
  const rules = new Set<LintRule>(found.map(({ rule }) => rule))
  return lintRules.flatMap((rule) =>
    told(rule, rules) ? found.filter((finding) => finding.rule === rule) : [],
  )
}

/** A habit is not told beside the rule that says more about it, nor a rotation that would be refused. */
function told(rule: LintRule, found: ReadonlySet<LintRule>): boolean {
  if (rule === 'no_expiry') return !found.has('require_expiry') && !found.has('max_lifetime_days')
  if (rule === 'unused') return !found.has('dormant_days')
  if (rule === 'rotation_due') return !unrenewable.some((one) => found.has(one))
  return true
}

function hygieneOf(token: LintFacts, now: string): Finding[] {
  const { leaked_at, rotated_at, previous_until } = token
  const long = daysAfter(now, -longDays)
  const renewed = rotated_at ?? token.created_at
  const woken = wokenAt(token)
  const habits: [boolean, LintRule, string][] = [
    [
      leaked_at !== null && (rotated_at === null || rotated_at < leaked_at),
      'leaked',
      `A leak of the secret was reported on ${leaked_at}, and it still works.`,
    ],
    [!token.owner_active, 'owner_inactive', 'The owner is disabled or gone, and the token is not.'],
    [token.expires_at === null, 'no_expiry', 'The token never expires.'],
    [
      token.all_servers && token.kind === 'access',
      'all_servers',
      'The token opens every server in its range, also those that are added later.',
    ],
    [
      previous_until !== null && previous_until > now,
      'predecessor_open',
      `The replaced secret works as well until ${previous_until}.`,
    ],
    [woken <= long, 'unused', `The token was not used since ${woken}.`],
    [renewed <= long, 'rotation_due', `The secret is as it was made on ${renewed}.`],
    [token.same_name, 'same_name', 'An older live token has the same name.'],
  ]
  return habits.filter(([is]) => is).map(([, rule, detail]) => ({ rule, detail }))
}
