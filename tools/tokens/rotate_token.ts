import { z } from 'zod'
import { isSelf } from '../../src/core/actor.ts'
import { deliver, delivery, deliveryView } from '../../src/core/delivery.ts'
import { id, idempotencyKey } from '../../src/core/fields.ts'
import { offerPage } from '../../src/core/hand-over.ts'
import { newSecret } from '../../src/core/new-secret.ts'
import { operation } from '../../src/core/operation.ts'
import { graceSeconds, refuseRotation, rotate } from '../../src/core/rotating.ts'
import { runningToken } from '../../src/core/token-state.ts'
import { onlyUserKey, targetToken } from '../../src/core/user-keys.ts'
import { shortTokenView, tokenView } from '../../src/core/views/token.ts'
import { showOneWidely, widely, wideToken } from '../../src/core/views/wide-token.ts'

export const rotate_token = operation({
  name: 'rotate_token',
  title: 'Rotate a token',
  description:
    'Replaces the secret of a token and keeps its id, reach and expiry. The old secret is refused from the next request on, unless grace_seconds keeps it open for a deployment in progress. Use it on a schedule or after a leak (then without grace); use revoke_token to end the token itself.',
  input: z.strictObject({
    token_id: id('token', 'Token to rotate'),
    grace_seconds: graceSeconds,
    delivery,
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ token: tokenView, delivery: deliveryView }),
  short: z.object({ token: shortTokenView, delivery: deliveryView }),
  dialect: { input: widely.extend(onlyUserKey.shape), output: wideToken },
  permission: 'tokens:write',
  effect: 'change',
  retryable: true,
  target: (input, done) => done?.token.id ?? input.token_id,
  permitsSelf: (actor, input) => isSelf(actor, input.token_id),
  async prepare(ctx, input) {
    const { token_prefix } = await ctx.settings()
    const { actor } = ctx
    const self = isSelf(actor, input.token_id) && 'generation' in actor
    const { id, generation } = self ? actor : await targetToken(ctx, input)
    const page = await offerPage(ctx, input.delivery, async () => {
      const token = await runningToken(ctx, id)
      await refuseRotation(ctx, token)
      return token
    })
    return { id, generation, page, ...newSecret(ctx.keys, token_prefix) }
  },
  async run(ctx, input, { id, ...made }) {
    // By the id that was read with the generation: a secret or a prefix is another one after a rotation in between.
    const token = await runningToken(ctx, id)
    const { grace_seconds, delivery } = input
    const done = await rotate(ctx, token, { ...made, grace_seconds, delivery })
    ctx.note(done.facts)
    return { token: await showOneWidely(ctx, done.row, input.show), delivery: done.delivery }
  },
  async deliver(ctx, done) {
    return { ...done, delivery: await deliver(ctx, done.token.id, done.delivery) }
  },
})
