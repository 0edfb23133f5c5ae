import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import type { TokenRow } from '../../db/schema.ts'
import { isSelf } from '../../src/core/actor.ts'
import type { Context } from '../../src/core/context.ts'
import { idOrName } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findTokenNamed } from '../../src/core/token-state.ts'
import { onlyUserKey, targetToken } from '../../src/core/user-keys.ts'
import { showToken } from '../../src/core/views/token.ts'
import { showUses, wholeTokenView } from '../../src/core/views/whole-token.ts'
import { showOneWidely, widely, wideToken } from '../../src/core/views/wide-token.ts'

export const get_token = operation({
  name: 'get_token',
  title: 'Get a token',
  description:
    'Shows one token in full: status, reach, addresses, expiry, limits, uses of each secret, predecessor in its grace; never its secret. Takes an id or an exact name. Use list_magic_tokens to search, and explain_access to ask whether it opens a certain server, and why.',
  input: z.strictObject({ token_id: idOrName('token', 'Token') }),
  output: z.object({ token: wholeTokenView }),
  dialect: {
    input: widely.extend(onlyUserKey.shape),
    output: wideToken.extend({ config: z.object({ id: z.string(), name: z.string() }).nullable() }),
  },
  permission: 'tokens:read',
  effect: 'read',
  target: (input, done) => done?.token.id ?? input.token_id,
  permitsSelf: (actor, input) => isSelf(actor, input.token_id),
  async run(ctx, input) {
    if (input.kind !== undefined) return ofUserKey(ctx, await targetToken(ctx, input))
    const row = await findTokenNamed(ctx, input.token_id)
    return { token: { ...(await showOneWidely(ctx, row, input.show)), ...(await showUses(ctx, row)) } }
  },
})

/** A user key with the configuration whose servers it opens. */
async function ofUserKey(ctx: Context, row: TokenRow) {
  const config = await configs.findOfProject(ctx.db, ctx.scope, row.project_id ?? '')
  const token = { ...(await showToken(ctx, row)), ...(await showUses(ctx, row)) }
  return { token, config: config ? { id: config.id, name: config.name } : null }
}
