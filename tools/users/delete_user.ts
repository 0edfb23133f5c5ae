import { z } from 'zod'
import * as users from '../../db/users.ts'
import { AppError } from '../../src/core/errors.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { revoked, revokeTokens } from '../../src/core/revoke-all.ts'
import { endPassword, findUser } from '../../src/core/user-state.ts'

export const delete_user = operation({
  name: 'delete_user',
  title: 'Delete a user',
  description:
    'Deletes a user for good and revokes every token the user owns, at once and everywhere. A user who is still a member of a project is refused unless force ends the memberships too. Use update_user with enabled false for a pause that can be lifted.',
  input: z.strictObject({
    user_id: id('user', 'User to delete'),
    force: z.boolean().default(false).describe('Delete a member of projects as well; ends the memberships.'),
  }),
  output: z.object({
    user: z.object({ id: z.string(), email: z.string() }),
    ...revoked,
  }),
  permission: 'users:write',
  effect: 'destroy',
  target: (input, done) => done?.user.id ?? input.user_id,
  async run(ctx, { user_id, force }) {
    refuseBound(ctx)
    const user = await findUser(ctx, user_id)
    const projects = await users.projectsOf(ctx.db, ctx.scope, [user.id])
    if (projects.length > 0 && !force) {
      throw new AppError(
        'conflict',
        `The user is a member of ${projects.length} project(s). Use remove_project_member first, or force: true.`,
        { entity: 'user', id: user.id, reason: 'in_project' },
      )
    }
    const counts = await revokeTokens(ctx, { owner_id: user.id })
    await endPassword(ctx, user)
    await users.remove(ctx.db, user.id, ctx.now)
    ctx.note({ email: user.email, project_ids: projects.map((one) => one.id), ...counts })
    return { user: { id: user.id, email: user.email }, ...counts }
  },
})
