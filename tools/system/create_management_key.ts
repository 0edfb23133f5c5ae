import { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import { actorId } from '../../src/core/actor.ts'
import type { Context } from '../../src/core/context.ts'
import { allowedIps, days, id, idempotencyKey, name, secretString, time } from '../../src/core/fields.ts'
import { grantAddresses, grantExpiry, grantProject } from '../../src/core/limits.ts'
import { newSecret } from '../../src/core/new-secret.ts'
import { operation } from '../../src/core/operation.ts'
import { refuseForeign } from '../../src/core/owner.ts'
import { roles } from '../../src/core/permissions.ts'
import { policyFor } from '../../src/core/token-policy.ts'
import { keyView, showKey } from '../../src/core/views/key.ts'
import type { AskedExpiry } from '../../src/domain/lifetime.ts'
import type { Policy } from '../../src/domain/settings.ts'

export const create_management_key = operation({
  name: 'create_management_key',
  title: 'Create a management key',
  description:
    'Creates a key that calls these operations with a role, optionally bound to a project and to addresses; the answer holds its secret, once. It never gets more than the credential that makes it. For opening MCP servers use create_token instead.',
  input: z.strictObject({
    name: name.describe('Who or what will use the key, such as "deploy pipeline".'),
    role: z
      .enum(roles)
      .describe(
        'admin = everything, operator = tokens and groups, reader = sees all, validator = validates only.',
      ),
    project_id: id('project', 'Project it is bound to').optional(),
    allowed_ips: allowedIps
      .nullable()
      .optional()
      .describe('Addresses or CIDR ranges it may be used from; null = any.'),
    expires_in_days: days
      .optional()
      .describe('Lifetime in days; without an expiry it lives as long as policy and your own key allow.'),
    expires_at: time
      .nullable()
      .optional()
      .describe('End as ISO 8601 instead of expires_in_days; null = never.'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ key: keyView, secret: secretString('The full secret; shown this once.') }),
  permission: 'system:write',
  effect: 'create',
  faces: ['rest', 'cli'],
  retryable: true,
  target: (_, done) => done?.key.id,
  async prepare(ctx) {
    return newSecret(ctx.keys, (await ctx.settings()).key_prefix)
  },
  async run(ctx, input, { secret, columns }) {
    const project_id = grantProject(ctx, input.project_id)
    const policy = await policyFor(ctx, project_id)
    const expires_at = await keyExpiry(ctx, input, policy)
    const allowed_ips = grantAddresses(ctx, input.allowed_ips, policy)
    await refuseForeign(ctx, null, project_id)
    const row = await tokens.insert(ctx.db, {
      ...columns,
      id: ctx.newId('key'),
      kind: 'management',
      role: input.role,
      source: 'operation',
      name: input.name,
      metadata: '{}',
      project_id,
      all_servers: 0,
      allowed_ips: allowed_ips === null ? null : JSON.stringify(allowed_ips),
      expires_at,
      enabled: 1,
      generation: 1,
      created_at: ctx.now,
      created_by: actorId(ctx.actor),
      updated_at: ctx.now,
    })
    ctx.note({ name: input.name, role: input.role, project_id, expires_at, allowed_ips })
    return { key: showKey(row, ctx.now), secret }
  },
})

/** A key for which nothing is asked lives for ever where policy and the caller's own end allow it; a cron job has no calendar. */
async function keyExpiry(ctx: Context, asked: AskedExpiry, policy: Policy): Promise<string | null> {
  const { max_lifetime_days, require_expiry } = policy
  const own_end = 'expires_at' in ctx.actor ? ctx.actor.expires_at : null
  const nothing = asked.expires_at === undefined && asked.expires_in_days === undefined
  const endless = nothing && max_lifetime_days === null && !require_expiry && own_end === null
  return grantExpiry(ctx, endless ? { expires_at: null } : asked, policy)
}
