import { daysAfter } from './lifetime.ts'
import type { Policy, ProjectPolicy } from './settings.ts'

/** What binds a token of a project, or one of none: the stricter of both, member by member. */
export function policyOf(instance: Policy, project: ProjectPolicy | null): Policy {
  const own: ProjectPolicy = project ?? {}
  return {
    max_lifetime_days: least(instance.max_lifetime_days, own.max_lifetime_days),
    require_expiry: instance.require_expiry || own.require_expiry === true,
    require_allowed_ips: instance.require_allowed_ips || own.require_allowed_ips === true,
    max_live_tokens_per_owner: least(instance.max_live_tokens_per_owner, own.max_live_tokens_per_owner),
    delivery_kinds: instance.delivery_kinds.filter((kind) => own.delivery_kinds?.includes(kind) ?? true),
    dormant_days: least(instance.dormant_days, own.dormant_days),
  }
}

function least(...bounds: (number | null | undefined)[]): number | null {
  const set = bounds.filter((bound) => bound !== null && bound !== undefined)
  return set.length === 0 ? null : Math.min(...set)
}

/** What policy asks of a token; times are ISO 8601 UTC. */
export interface PolicyFacts {
  expires_at: string | null
  /** JSON or a list: only whether there is one counts. */
  allowed_ips: unknown
  created_at: string
  last_used_at: string | null
  enabled_at: string | null
  rotated_at: string | null
  not_before: string | null
}

const policyRules = ['max_lifetime_days', 'require_expiry', 'require_allowed_ips', 'dormant_days'] as const

/** A rule of a policy that a token can break by itself, and how it does, as a sentence. */
export interface Violation {
  rule: (typeof policyRules)[number]
  detail: string
}

/** Everything about a token that its policy would not let anybody make now. */
export function violationsOf(token: PolicyFacts, policy: Policy, now: string): Violation[] {
  const { max_lifetime_days: most, dormant_days } = policy
  const { expires_at } = token
  const found: Violation[] = []
  if (most !== null && (expires_at === null || expires_at > daysAfter(now, most)))
    found.push({ rule: 'max_lifetime_days', detail: `The token outlives max_lifetime_days (${most}).` })
  if (policy.require_expiry && expires_at === null)
    found.push({ rule: 'require_expiry', detail: 'The token has no expiry, and require_expiry is set.' })
  if (policy.require_allowed_ips && token.allowed_ips === null)
    found.push({
      rule: 'require_allowed_ips',
      detail: 'The token has no address list, and require_allowed_ips is set.',
    })
  if (dormant_days !== null && wokenAt(token) <= daysAfter(now, -dormant_days))
    found.push({
      rule: 'dormant_days',
      detail: `The token was not used since ${wokenAt(token)}, longer than dormant_days (${dormant_days}).`,
    })
  return found
}

/** When a token last showed that somebody needs it: its last use, or that it was made, renewed, switched on or began to be valid. */
export function wokenAt({ created_at, ...token }: PolicyFacts): string {
  return [token.last_used_at, token.enabled_at, token.rotated_at, token.not_before].reduce<string>(
    (latest, at) => (at !== null && at > latest ? at : latest),
    created_at,
  )
}
