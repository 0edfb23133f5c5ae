import { z } from 'zod'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { revokeTokens } from '../../src/core/revoke-all.ts'
import { findUser } from '../../src/core/user-state.ts'

export const revoke_user_keys = operation({
  name: 'revoke_user_keys',
  title: 'Revoke all keys of a user',
  description:
    'Ends every user key of a user for good, in all projects, from the next request on; nothing brings one back. Access tokens of the user and keys of other users stay. Use revoke_token for a single key, and update_user with enabled false for a pause that can be lifted.',
  input: z.strictObject({ user_id: id('user', 'User whose keys are revoked') }),
  output: z.object({
    user: z.object({ id: z.string(), email: z.string() }),
    revoked: z.int().describe('How many keys were revoked.'),
  }),
  permission: 'user_keys:write',
  effect: 'destroy',
  idempotent: true,
  target: (input, done) => done?.user.id ?? input.user_id,
  async run(ctx, { user_id }) {
    const { id, email } = await findUser(ctx, user_id)
    const { revoked_user_keys: revoked } = await revokeTokens(ctx, { owner_id: id, kind: 'user_key' })
    ctx.note({ revoked })
    return { user: { id, email }, revoked }
  },
})
