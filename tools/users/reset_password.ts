import { z } from 'zod'
import * as users from '../../db/users.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { hashPassword, password } from '../../src/core/password.ts'
import { revoked, revokeTokens } from '../../src/core/revoke-all.ts'
import { endPassword, findUser } from '../../src/core/user-state.ts'
import { showUser, userView } from '../../src/core/views/user.ts'

export const reset_password = operation({
  name: 'reset_password',
  title: 'Reset the password of a user',
  description:
    'Sets the password a user signs in with, and revokes every token the user owns, at once and everywhere: whoever knew the old password may have made them. It also gives a first password to a user who has none. Use update_user with enabled false to keep the user out for a while instead.',
  input: z.strictObject({ user_id: id('user', 'User whose password is set'), new_password: password }),
  output: z.object({ user: userView, ...revoked }),
  permission: 'users:write',
  effect: 'destroy',
  faces: ['rest', 'cli'],
  target: (input, done) => done?.user.id ?? input.user_id,
  async prepare(ctx, { user_id, new_password }) {
    // Before the expensive part, so that refused calls do not cost one.
    refuseBound(ctx)
    await findUser(ctx, user_id)
    return hashPassword(new_password)
  },
  async run(ctx, { user_id }, password_hash) {
    const user = await findUser(ctx, user_id)
    await endPassword(ctx, user)
    const changed = await users.update(ctx.db, user.id, { password_hash, updated_at: ctx.now })
    const counts = await revokeTokens(ctx, { owner_id: user.id })
    ctx.note({ had_password: user.password_hash !== null, ...counts })
    return { user: await showUser(ctx, changed ?? user), ...counts }
  },
})
