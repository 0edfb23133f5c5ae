import { z } from 'zod'
import * as users from '../../db/users.ts'
import { email, id, name } from '../../src/core/fields.ts'
import { differing } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { findUser, refuseTakenEmail } from '../../src/core/user-state.ts'
import { showUser, userView } from '../../src/core/views/user.ts'

export const update_user = operation({
  name: 'update_user',
  title: 'Update a user',
  description:
    'Changes name or e-mail of a user, or switches the user off and on. While disabled, every token the user owns is refused from the next request on; enabling brings them back. Members that are absent stay. Use delete_user to end the user and revoke the tokens for good.',
  input: z.strictObject({
    user_id: id('user', 'User to change'),
    name: name.nullable().optional().describe('New name; null removes it.'),
    email: email.optional().describe('New e-mail; stored in lower case.'),
    enabled: z
      .boolean()
      .optional()
      .describe('false = refuse every token of the user; true = let them work again.'),
  }),
  output: z.object({ user: userView, changed: z.boolean() }),
  permission: 'users:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.user.id ?? input.user_id,
  async run(ctx, { user_id, name, email, enabled }) {
    refuseBound(ctx)
    const user = await findUser(ctx, user_id)
    const changes = differing(user, {
      name,
      email,
      enabled: enabled === undefined ? undefined : Number(enabled),
    })
    if (changes.email !== undefined) await refuseTakenEmail(ctx, changes.email)
    const changed = Object.keys(changes).length > 0
    const row = changed ? await users.update(ctx.db, user.id, { ...changes, updated_at: ctx.now }) : user
    ctx.note({
      changed: Object.keys(changes),
      ...(changes.email === undefined ? {} : { email }),
      ...(changes.enabled === undefined ? {} : { enabled }),
    })
    return { user: await showUser(ctx, row ?? user), changed }
  },
})
