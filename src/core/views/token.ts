import { z } from 'zod'
import * as projects from '../../../db/projects.ts'
import * as reach from '../../../db/reach.ts'
import type { TokenRow } from '../../../db/schema.ts'
import * as users from '../../../db/users.ts'
import { redacted } from '../../domain/secret.ts'
import { toolRulesSchema } from '../../domain/tool-rules.ts'
import { limitsOf, useLimitsSchema } from '../../domain/use-limits.ts'
import { statusOfToken } from '../../domain/verdict.ts'
import type { Context } from '../context.ts'
import { shared } from '../fields.ts'
import { exactObject, isoTime, named } from './named.ts'

const access = z.object({
  all_servers: z.boolean().describe('Every server of its project, or of the instance without one.'),
  servers: z.array(named),
  groups: z.array(named),
  tool_rules: toolRulesSchema.nullable().describe('Globs on server/tool; null = every tool.'),
  limits: useLimitsSchema.nullable().describe('How often it may be used; null = without limits.'),
})

/** A token in full, without its secret. */
export const tokenView = z.object({
  id: z.string(),
  kind: z.enum(['access', 'user_key']),
  name: z.string().nullable(),
  description: z.string().nullable(),
  metadata: exactObject,
  status: z.enum(['active', 'disabled', 'expired', 'revoked']),
  enabled: z.boolean(),
  prefix: z.string().describe('First 12 characters of the secret.'),
  last4: z.string(),
  secret_redacted: z.string(),
  owner_id: z.string().nullable(),
  owner_email: z.string().nullable(),
  project_id: z.string().nullable(),
  project_name: z.string().nullable(),
  access,
  allowed_ips: z.array(z.string()).nullable().describe('null = any address.'),
  not_before: isoTime.nullable(),
  expires_at: isoTime.nullable().describe('null = never.'),
  generation: z.int().describe('Counts rotations, from 1.'),
  predecessor: z
    .object({ valid_until: isoTime, last_used_at: isoTime.nullable() })
    .nullable()
    .describe('The replaced secret, while its grace lasts.'),
  last_used_at: isoTime.nullable(),
  last_used_ip: z.string().nullable(),
  use_count: z.int(),
  disabled_at: isoTime.nullable().describe('When it was last switched off.'),
  enabled_at: isoTime.nullable().describe('When it was last switched on again.'),
  rotated_at: isoTime.nullable(),
  created_at: isoTime,
  created_by: z.string().nullable(),
  updated_at: isoTime,
  revoked_at: isoTime.nullable(),
})

shared.add(tokenView, { id: 'Token' })

const briefly = z.looseObject({})

/** What these hold is said by the full view, which a model has read once. */
const shortAccess = access.extend({
  servers: z.array(briefly),
  groups: z.array(briefly),
  tool_rules: briefly.nullable(),
  limits: briefly.nullable(),
})

/** The little of a token that mutations and lists tell a model. */
export const shortTokenView = tokenView.extend({ access: shortAccess }).pick({
  id: true,
  name: true,
  status: true,
  prefix: true,
  last4: true,
  owner_id: true,
  project_id: true,
  access: true,
  allowed_ips: true,
  expires_at: true,
  last_used_at: true,
})

export type TokenView = z.input<typeof tokenView>

type Shown = Pick<Context, 'db' | 'now'>
type Named = z.input<typeof named>[]

/** Shows rows with what they reach and whose they are; four queries at most for any number of tokens. */
export async function showTokens(ctx: Shown, rows: readonly TokenRow[]): Promise<TokenView[]> {
  const ids = rows.map((row) => row.id)
  const groups = await reach.groupsOf(ctx.db, ids)
  const servers = await reach.serversOf(ctx.db, ids)
  const belongs = await belonging(ctx, rows)
  return rows.map((row) => ({
    ...show(row, ctx.now, groups.get(row.id) ?? [], servers.get(row.id) ?? []),
    ...belongs(row),
  }))
}

/** Shows a token that names no group and no server; asks for the names of its owner and project alone. */
export async function showUnreaching(ctx: Shown, row: TokenRow): Promise<TokenView> {
  const belongs = await belonging(ctx, [row])
  return { ...show(row, ctx.now, [], []), ...belongs(row) }
}

/** The names behind owners and projects. */
async function belonging({ db }: Shown, rows: readonly TokenRow[]) {
  const ids = (member: 'owner_id' | 'project_id') => [
    ...new Set(rows.map((row) => row[member]).filter((id) => id !== null)),
  ]
  const emails = await users.emailsOf(db, ids('owner_id'))
  const names = await projects.namesOf(db, ids('project_id'))
  return ({ owner_id, project_id }: TokenRow) => ({
    owner_email: emails.get(owner_id ?? '') ?? null,
    project_name: names.get(project_id ?? '') ?? null,
  })
}

type Bare = Omit<TokenView, 'owner_email' | 'project_name'>

function show(row: TokenRow, now: string, groups: Named, servers: Named): Bare {
  const { all_servers, secret_hash: _, previous_hash: __, previous_until, previous_used_at, ...rest } = row
  const graced = previous_until !== null && now < previous_until && row.revoked_at === null
  return {
    ...rest,
    kind: row.kind === 'user_key' ? 'user_key' : 'access',
    metadata: JSON.parse(row.metadata),
    status: statusOfToken({ ...row, enabled: row.enabled === 1 }, now),
    enabled: row.enabled === 1,
    secret_redacted: redacted(row.prefix, row.last4),
    access: {
      all_servers: all_servers === 1,
      servers,
      groups,
      tool_rules: row.tool_rules === null ? null : JSON.parse(row.tool_rules),
      limits: limitsOf(row),
    },
    allowed_ips: row.allowed_ips === null ? null : JSON.parse(row.allowed_ips),
    predecessor: graced ? { valid_until: previous_until, last_used_at: previous_used_at } : null,
  }
}

/** Shows one row. */
export async function showToken(ctx: Shown, row: TokenRow): Promise<TokenView> {
  const [shown] = await showTokens(ctx, [row])
  if (shown === undefined) throw new Error('one row in, one view out')
  return shown
}
