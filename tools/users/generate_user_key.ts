import { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import { actorId } from '../../src/core/actor.ts'
import { chooseDelivery, deliver, delivery, deliveryView, handOver } from '../../src/core/delivery.ts'
import { id, idempotencyKey, name } from '../../src/core/fields.ts'
import { offerPage } from '../../src/core/hand-over.ts'
import { grantAddresses, grantExpiry } from '../../src/core/limits.ts'
import { newSecret } from '../../src/core/new-secret.ts'
import { operation } from '../../src/core/operation.ts'
import { refuseForeign } from '../../src/core/owner.ts'
import { findProject } from '../../src/core/project-state.ts'
import { policyFor, requireRoom } from '../../src/core/token-policy.ts'
import { findUser } from '../../src/core/user-state.ts'
import { shortTokenView, showToken, tokenView } from '../../src/core/views/token.ts'

export const generate_user_key = operation({
  name: 'generate_user_key',
  title: 'Generate a user key',
  description:
    "Makes a key of a user for one project: it opens every server of the project's configuration, reads the project, and manages the user's tokens in it. It has no expiry. The user must be a member of the project. For access to chosen servers, or with an end, use create_token; revoke_user_keys ends all keys of a user.",
  input: z.strictObject({
    user_id: id('user', 'User the key is for'),
    project_id: id('project', 'Project the key is for'),
    name: name.optional().describe('What the key is for.'),
    delivery,
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ token: tokenView, delivery: deliveryView }),
  short: z.object({ token: shortTokenView, delivery: deliveryView }),
  permission: 'user_keys:write',
  effect: 'create',
  retryable: true,
  target: (input, done) => done?.token.id ?? input.user_id,
  async prepare(ctx, input) {
    const page = await offerPage(ctx, input.delivery, async () => {
      const project = await findProject(ctx, input.project_id)
      return { name: input.name ?? null, project_id: project.id }
    })
    return { page, ...newSecret(ctx.keys, (await ctx.settings()).token_prefix) }
  },
  async run(ctx, input, { secret, columns, page }) {
    const user = await findUser(ctx, input.user_id)
    const project = await findProject(ctx, input.project_id)
    await refuseForeign(ctx, user.id, project.id)
    const policy = await policyFor(ctx, project.id)
    const kind = chooseDelivery(ctx, input.delivery, policy)
    const expires_at = await grantExpiry(ctx, { expires_at: null }, policy)
    const allowed_ips = grantAddresses(ctx, undefined, policy)
    await requireRoom(ctx, { owner_id: user.id, project_id: project.id })
    const row = await tokens.insert(ctx.db, {
      ...columns,
      id: ctx.newId('token'),
      kind: 'user_key',
      role: null,
      source: 'operation',
      name: input.name ?? null,
      metadata: '{}',
      owner_id: user.id,
      project_id: project.id,
      all_servers: 1,
      allowed_ips: allowed_ips === null ? null : JSON.stringify(allowed_ips),
      expires_at,
      enabled: 1,
      generation: 1,
      created_at: ctx.now,
      created_by: actorId(ctx.actor),
      updated_at: ctx.now,
    })
    ctx.note({ user_id: user.id, project_id: project.id, expires_at, allowed_ips, delivery: kind })
    return { token: await showToken(ctx, row), delivery: await handOver(ctx, row.id, secret, kind, page) }
  },
  async deliver(ctx, { token, delivery }) {
    return { token, delivery: await deliver(ctx, token.id, delivery) }
  },
})
