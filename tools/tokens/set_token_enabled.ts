import { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import { id } from '../../src/core/fields.ts'
import { refuseWider } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { raced, refuseExpired, refuseRevoked, refuseSelf } from '../../src/core/token-state.ts'
import { onlyUserKey, targetToken } from '../../src/core/user-keys.ts'
import { shortTokenView, showToken, tokenView } from '../../src/core/views/token.ts'

export const set_token_enabled = operation({
  name: 'set_token_enabled',
  title: 'Enable or disable a token',
  description:
    'Switches a token off or on again; off, its secret and a predecessor are refused from the next request on, and on it works with the same secret. Use it while you find out whether a token is still needed; use revoke_token when it is not, because that is final.',
  input: z.strictObject({
    token_id: id('token', 'Token to switch'),
    enabled: z.boolean().describe('false = refuse it for now, true = let it work again.'),
  }),
  output: z.object({ token: tokenView, changed: z.boolean() }),
  short: z.object({ token: shortTokenView, changed: z.boolean() }),
  dialect: { input: onlyUserKey },
  permission: 'tokens:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.token.id ?? input.token_id,
  async run(ctx, input) {
    const token = await targetToken(ctx, input)
    refuseSelf(ctx, token.id)
    refuseRevoked(token)
    refuseExpired(ctx, token)
    // To switch off is everybody's who may write; to switch on gives reach.
    if (input.enabled) await refuseWider(ctx, token)
    const enabled = input.enabled ? 1 : 0
    const changed = token.enabled !== enabled
    ctx.note({ enabled: input.enabled, changed })
    if (!changed) return { token: await showToken(ctx, token), changed }
    const since = input.enabled ? { enabled_at: ctx.now } : { disabled_at: ctx.now }
    const row = await tokens.update(ctx.db, ctx.scope, token.id, { enabled, ...since, updated_at: ctx.now })
    if (row === undefined) throw raced(token.id)
    return { token: await showToken(ctx, row), changed }
  },
})
