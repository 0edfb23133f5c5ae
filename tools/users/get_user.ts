import { z } from 'zod'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findUser } from '../../src/core/user-state.ts'
import { showUser, userView } from '../../src/core/views/user.ts'

export const get_user = operation({
  name: 'get_user',
  title: 'Get a user',
  description:
    'Shows one user: e-mail, name, whether enabled, and the projects the user is a member of; never a password. Takes an id or an e-mail in any letter case. Use list_users to search, and list_magic_tokens with owner_id to see what the user owns.',
  input: z.strictObject({ user_id: id('user', 'User: its id or its e-mail') }),
  output: z.object({ user: userView }),
  permission: 'users:read',
  effect: 'read',
  target: (input) => input.user_id,
  async run(ctx, { user_id }) {
    return { user: await showUser(ctx, await findUser(ctx, user_id, true)) }
  },
})
