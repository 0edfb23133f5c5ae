import { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import { access, accessColumns, anyAccess, resolveAccess } from '../../src/core/access.ts'
import { actorId } from '../../src/core/actor.ts'
import { chooseDelivery, deliver, delivery, deliveryView, handOver } from '../../src/core/delivery.ts'
import {
  allowedIps,
  days,
  description,
  exactTexts,
  id,
  idempotencyKey,
  metadata,
  metadataText,
  name,
  time,
} from '../../src/core/fields.ts'
import { offerPage } from '../../src/core/hand-over.ts'
import {
  grantAddresses,
  grantExpiry,
  grantLimits,
  grantOwner,
  grantProject,
  grantRules,
  longest,
  notBefore,
  refuseExpiry,
} from '../../src/core/limits.ts'
import { newSecret } from '../../src/core/new-secret.ts'
import { operation } from '../../src/core/operation.ts'
import { refuseForeign } from '../../src/core/owner.ts'
import { policyFor, requireRoom } from '../../src/core/token-policy.ts'
import { shortTokenView, showUnreaching, tokenView } from '../../src/core/views/token.ts'
import { showOneWidely, widely, wideToken } from '../../src/core/views/wide-token.ts'

const output = z.object({ token: tokenView, delivery: deliveryView })

export const create_token = operation({
  name: 'create_token',
  title: 'Create a token',
  description:
    'Creates an access token that opens MCP servers, with a lifetime, an address list and a reach. Without access it reaches nothing; without an expiry it lives 30 days. The secret is handed over once, by default through a one-time link and not in this conversation. To replace a secret keep the token and use rotate_token.',
  input: z.strictObject({
    name: name.describe('What the token is for, such as "CI nightly".'),
    description: description.optional().describe('Longer note for people.'),
    metadata: metadata.optional(),
    access: access.optional().describe('What it reaches: {all_servers} or {servers, groups}, and how often.'),
    allowed_ips: allowedIps
      .nullable()
      .optional()
      .describe('Addresses or CIDR ranges it may be used from; null = any.'),
    expires_in_days: days.optional().describe('Lifetime in days; default 30.'),
    expires_at: time
      .nullable()
      .optional()
      .describe('End as ISO 8601 instead of expires_in_days; null = never (needs tokens:permanent).'),
    not_before: time.optional().describe('Not valid before this time (ISO 8601).'),
    owner_id: id('user', 'User who owns it').optional(),
    project_id: id('project', 'Project it is bound to').optional(),
    delivery,
    idempotency_key: idempotencyKey.optional(),
  }),
  output,
  dialect: {
    input: longest.extend(widely.shape).extend(exactTexts.shape).extend({ access: anyAccess }),
    output: wideToken,
  },
  short: z.object({ token: shortTokenView, delivery: deliveryView }),
  permission: 'tokens:write',
  effect: 'create',
  retryable: true,
  target: (_, done) => done?.token.id,
  check: refuseExpiry,
  async prepare(ctx, input) {
    const page = await offerPage(ctx, input.delivery, async () => ({
      name: input.name,
      project_id: grantProject(ctx, input.project_id),
    }))
    return { page, ...newSecret(ctx.keys, (await ctx.settings()).token_prefix) }
  },
  async run(ctx, input, { secret, columns, page }) {
    const project_id = grantProject(ctx, input.project_id)
    const policy = await policyFor(ctx, project_id)
    const kind = chooseDelivery(ctx, input.delivery, policy)
    const expires_at = await grantExpiry(ctx, input, policy)
    const allowed_ips = grantAddresses(ctx, input.allowed_ips, policy)
    const owner_id = grantOwner(ctx, input.owner_id)
    await refuseForeign(ctx, owner_id, project_id)
    await requireRoom(ctx, { owner_id, project_id })
    const asked = {
      ...input.access,
      tool_rules: await grantRules(ctx, input.access?.tool_rules),
      limits: await grantLimits(ctx, input.access?.limits),
    }
    const setReach = await resolveAccess(ctx, asked)
    const row = await tokens.insert(ctx.db, {
      ...columns,
      id: ctx.newId('token'),
      kind: 'access',
      role: null,
      source: 'operation',
      name: input.name,
      description: input.description ?? null,
      metadata: metadataText(input) ?? '{}',
      owner_id,
      project_id,
      all_servers: 0,
      tool_rules: null,
      ...accessColumns(asked),
      allowed_ips: allowed_ips === null ? null : JSON.stringify(allowed_ips),
      not_before: notBefore(input.not_before, expires_at),
      expires_at,
      enabled: 1,
      generation: 1,
      created_at: ctx.now,
      created_by: actorId(ctx.actor),
      updated_at: ctx.now,
    })
    if (asked.groups || asked.servers) await setReach(row.id)
    ctx.note({
      name: input.name,
      expires_at,
      allowed_ips,
      all_servers: row.all_servers === 1,
      ...(asked.limits ? { limits: asked.limits } : {}),
      delivery: kind,
    })
    const reaching = asked.groups?.length || asked.servers?.length
    const token =
      reaching || input.show ? await showOneWidely(ctx, row, input.show) : await showUnreaching(ctx, row)
    return { token, delivery: await handOver(ctx, row.id, secret, kind, page) }
  },
  async deliver(ctx, done) {
    const { token } = done
    const delivery = await deliver(ctx, token.id, done.delivery)
    const { all_servers, servers, groups } = token.access
    if (all_servers || servers.length > 0 || groups.length > 0) return { token, delivery }
    const reach = 'It reaches no server yet: name servers with update_token, or groups with add_groups.'
    return { token, delivery: { ...delivery, next: `${delivery.next} ${reach}` } }
  },
})
