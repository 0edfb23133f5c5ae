import { z } from 'zod'
import * as limits from '../../db/limits.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import { type Access, access, accessColumns, resolveAccess } from '../../src/core/access.ts'
import type { Context } from '../../src/core/context.ts'
import {
  allowedIps,
  days,
  description,
  exactTexts,
  id,
  metadata,
  metadataText,
  name,
  time,
} from '../../src/core/fields.ts'
import {
  grantAddresses,
  grantExpiry,
  grantLimits,
  grantRules,
  longest,
  notBefore,
  refuseExpiry,
  refuseWider,
} from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { policyFor, requireRoom } from '../../src/core/token-policy.ts'
import { changeableToken, raced, refuseExpired, refuseSelf } from '../../src/core/token-state.ts'
import { shortTokenView, tokenView } from '../../src/core/views/token.ts'
import { showOneWidely, widely, wideToken } from '../../src/core/views/wide-token.ts'

export const update_token = operation({
  name: 'update_token',
  title: 'Update a token',
  description:
    'Changes the name, texts, expiry, addresses or reach of a token; the secret stays as it is and the new rules hold from the next request. Members that are absent stay. Prolongs an expired token; a revoked one cannot be changed. For single groups use add_groups and remove_groups, to switch it off use set_token_enabled.',
  input: z.strictObject({
    token_id: id('token', 'Token to change'),
    name: name.optional().describe('New name.'),
    description: description.optional().describe('New description; "" empties it.'),
    metadata: metadata.optional(),
    access: access.optional().describe('New reach; members that are present replace the old ones.'),
    allowed_ips: allowedIps.nullable().optional().describe('Replaces the address list; null = any address.'),
    expires_in_days: days.optional().describe('New lifetime in days from now.'),
    expires_at: time
      .nullable()
      .optional()
      .describe('New end (ISO 8601); null = never (needs tokens:permanent).'),
    not_before: time.nullable().optional().describe('Not valid before this time; null lifts it.'),
  }),
  output: z.object({ token: tokenView, changed: z.boolean() }),
  dialect: { input: longest.extend(widely.shape).extend(exactTexts.shape), output: wideToken },
  short: z.object({ token: shortTokenView, changed: z.boolean() }),
  permission: 'tokens:write',
  effect: 'change',
  idempotent: true,
  target: (input) => input.token_id,
  check: refuseExpiry,
  async run(ctx, input) {
    refuseSelf(ctx, input.token_id)
    const { expires_in_days, expires_at, allowed_ips, not_before, longest_days } = input
    const asked = expires_in_days !== undefined || expires_at !== undefined
    const token = await changeableToken(ctx, input.token_id)
    const policy = await policyFor(ctx, token.project_id)
    const granted = asked
      ? await grantExpiry(ctx, { expires_in_days, expires_at, longest_days }, policy)
      : undefined
    await refuseWider(ctx, token)
    // One that is expired lives again.
    if (asked && token.expires_at !== null && token.expires_at <= ctx.now) await requireRoom(ctx, token)
    const expiry = granted === undefined ? token.expires_at : granted
    // Whoever prolongs renews: a rule that came later binds the token from then on.
    const prolongs = token.expires_at !== null && (expiry === null || expiry > token.expires_at)
    if (prolongs && allowed_ips === undefined && token.allowed_ips === null) grantAddresses(ctx, null, policy)
    if (input.access || allowed_ips !== undefined || not_before !== undefined) refuseExpired(ctx, token)
    const reach = await reachOf(ctx, input.access)
    const setReach = await resolveAccess(ctx, reach)
    const addresses = allowed_ips === undefined ? undefined : grantAddresses(ctx, allowed_ips, policy)
    const metadata = metadataText(input)
    const changes = {
      ...(input.name === undefined ? {} : { name: input.name }),
      ...(input.description === undefined ? {} : { description: input.description }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(asked ? { expires_at: expiry, ...shortenGrace(token, expiry) } : {}),
      ...(addresses === undefined
        ? {}
        : { allowed_ips: addresses === null ? null : JSON.stringify(addresses) }),
      ...(asked || not_before !== undefined
        ? { not_before: notBefore(not_before === undefined ? token.not_before : not_before, expiry) }
        : {}),
      ...accessColumns(reach),
    }
    const differs = Object.entries(changes).some(
      ([column, value]) => token[column as keyof typeof changes] !== value,
    )
    const moved = await setReach(token.id)
    const changed = differs || moved
    const row = changed
      ? await tokens.update(ctx.db, ctx.scope, token.id, { ...changes, updated_at: ctx.now })
      : token
    if (row === undefined) throw raced(token.id)
    if (row.limit_seconds !== token.limit_seconds) await limits.resetWindow(ctx.db, token.id)
    ctx.note({
      changed: Object.keys(changes),
      ...(asked ? { expires_at: expiry } : {}),
      ...(addresses === undefined ? {} : { allowed_ips: addresses }),
      ...(reach.limits === undefined ? {} : { limits: reach.limits }),
    })
    return { token: await showOneWidely(ctx, row, input.show), changed }
  },
})

/** What is absent stays, tool rules and limits too. */
async function reachOf(ctx: Context, asked: Access = {}): Promise<Access> {
  const { tool_rules, limits } = asked
  return {
    ...asked,
    ...(tool_rules === undefined ? {} : { tool_rules: await grantRules(ctx, tool_rules) }),
    ...(limits === undefined ? {} : { limits: await grantLimits(ctx, limits) }),
  }
}

/** A predecessor never outlives the token, not even one that is prolonged again later. */
function shortenGrace({ previous_until }: TokenRow, expiry: string | null): { previous_until?: string } {
  return expiry !== null && previous_until !== null && expiry < previous_until
    ? { previous_until: expiry }
    : {}
}
