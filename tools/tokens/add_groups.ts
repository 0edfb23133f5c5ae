import { z } from 'zod'
import * as reach from '../../db/reach.ts'
import * as tokens from '../../db/tokens.ts'
import { anyIds } from '../../src/core/access.ts'
import { id, idList } from '../../src/core/fields.ts'
import { refuseWider } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { existingGroups, raced, refuseSelf, runningToken } from '../../src/core/token-state.ts'
import { shortTokenView, tokenView } from '../../src/core/views/token.ts'
import { showOneWidely, widely, wideToken } from '../../src/core/views/wide-token.ts'

export const add_groups = operation({
  name: 'add_groups',
  title: 'Add a token to groups',
  description:
    'Puts a token into groups, so that it reaches the servers of those groups from the next request on. A token with all_servers becomes bound to its groups by the first one, which narrows it. Groups it is already in are left alone; list_groups shows ids. To set the whole reach at once use update_token.',
  input: z.strictObject({
    token_id: id('token', 'Token to change'),
    group_ids: idList('group', 'Group id').describe('Groups to add.'),
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
    await refuseWider(ctx, token)
    const groupIds = await existingGroups(ctx, input.group_ids)
    const changed = (await reach.addGroups(ctx.db, token.id, groupIds)) > 0
    ctx.note({ group_ids: input.group_ids, changed })
    if (!changed) return { token: await showOneWidely(ctx, token, input.show), changed }
    const row = await tokens.update(ctx.db, ctx.scope, token.id, { all_servers: 0, updated_at: ctx.now })
    if (row === undefined) throw raced(token.id)
    return { token: await showOneWidely(ctx, row, input.show), changed }
  },
})
