import { z } from 'zod'
import * as reach from '../../db/reach.ts'
import * as tokens from '../../db/tokens.ts'
import { anyIds } from '../../src/core/access.ts'
import { id, idList } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { raced, refuseSelf, runningToken } from '../../src/core/token-state.ts'
import { shortTokenView, tokenView } from '../../src/core/views/token.ts'
import { showOneWidely, widely, wideToken } from '../../src/core/views/wide-token.ts'

export const remove_groups = operation({
  name: 'remove_groups',
  title: 'Take a token out of groups',
  description:
    'Takes a token out of groups, so that it loses the servers it reached only through them, from the next request on. Groups it is not in are ignored. Without any group and server it reaches nothing until someone changes that; it never widens to everything. To end the token use revoke_token.',
  input: z.strictObject({
    token_id: id('token', 'Token to change'),
    group_ids: idList('group', 'Group id').describe('Groups to remove.'),
  }),
  output: z.object({ token: tokenView, changed: z.boolean() }),
  short: z.object({ token: shortTokenView, changed: z.boolean() }),
  dialect: { input: widely.extend({ group_ids: anyIds }), output: wideToken },
  permission: 'tokens:write',
  effect: 'change',
  idempotent: true,
  target: (input) => input.token_id,
  async run(ctx, input) {
    refuseSelf(ctx, input.token_id)
    const token = await runningToken(ctx, input.token_id)
    const changed = (await reach.removeGroups(ctx.db, token.id, input.group_ids)) > 0
    ctx.note({ group_ids: input.group_ids, changed })
    if (!changed) return { token: await showOneWidely(ctx, token, input.show), changed }
    const row = await tokens.update(ctx.db, ctx.scope, token.id, { updated_at: ctx.now })
    if (row === undefined) throw raced(token.id)
    return { token: await showOneWidely(ctx, row, input.show), changed }
  },
})
