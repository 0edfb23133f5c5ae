import * as lint from '../../db/lint.ts'
import type { LintRule } from '../domain/hygiene.ts'
import { unrenewable } from '../domain/hygiene.ts'
import { daysAfter } from '../domain/lifetime.ts'
import type { Context } from './context.ts'
import type { Linted } from './lint.ts'

/** A call that ends a finding. */
export interface Mend {
  tool: 'update_token' | 'rotate_token' | 'set_token_enabled' | 'revoke_token'
  arguments: Record<string, unknown>
}

/** Servers that one call may name. */
const mostServers = 100

/** The call that mends one finding of a token, with everything it takes. */
export async function mendOf(ctx: Context, { row, policy, findings }: Linted, rule: LintRule): Promise<Mend> {
  const token_id = row.id
  const { default_lifetime_days } = await ctx.settings()
  const update = (changes: Record<string, unknown>): Mend => ({
    tool: 'update_token',
    arguments: { token_id, ...changes },
  })
  const off: Mend = { tool: 'set_token_enabled', arguments: { token_id, enabled: false } }
  const revoke: Mend = { tool: 'revoke_token', arguments: { token_id } }
  const rotate: Mend = { tool: 'rotate_token', arguments: { token_id, grace_seconds: 0 } }
  const renewable = !findings.some((one) => unrenewable.includes(one.rule))
  const endIn = (days: number) => {
    const late = row.not_before !== null && row.not_before >= daysAfter(ctx.now, days)
    return update({ expires_in_days: days, ...(late ? { not_before: null } : {}) })
  }
  switch (rule) {
    case 'leaked':
      return renewable ? rotate : revoke
    case 'predecessor_open':
      return renewable ? rotate : off
    case 'rotation_due':
      return rotate
    case 'max_lifetime_days':
      return endIn(policy.max_lifetime_days ?? default_lifetime_days)
    case 'require_expiry':
    case 'no_expiry':
      return endIn(Math.min(default_lifetime_days, policy.max_lifetime_days ?? Infinity))
    case 'require_allowed_ips':
      return row.last_used_ip === null ? off : update({ allowed_ips: [row.last_used_ip] })
    case 'all_servers': {
      const servers = await lint.reached(ctx.db, token_id, mostServers + 1)
      return servers.length > mostServers ? off : update({ access: { all_servers: false, servers } })
    }
    case 'dormant_days':
    case 'unused':
      return off
    case 'same_name':
      return update({ name: `${(row.name ?? '').slice(0, 180).trimEnd()} ${token_id.slice(-8)}` })
    default:
      return revoke
  }
}
