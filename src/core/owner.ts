import * as projects from '../../db/projects.ts'
import * as users from '../../db/users.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'

/** Refuses an owner or a project that is not there, and an owner who is not a member of the project. */
export async function refuseForeign(
  ctx: Context,
  ownerId: string | null,
  projectId: string | null,
): Promise<void> {
  if (projectId !== null && (await projects.findLive(ctx.db, ctx.scope, projectId)) === undefined) {
    throw notFound('project', projectId, 'list_projects shows the ids.')
  }
  if (ownerId === null) return
  const owner = await users.findLive(ctx.db, ctx.scope, ownerId)
  if (owner === undefined) throw notFound('user', ownerId, 'list_users shows the ids.')
  if (projectId !== null && !(await projects.isMember(ctx.db, projectId, ownerId))) {
    throw new AppError(
      'conflict',
      'That user is not a member of that project. Add them with add_project_member.',
      {
        entity: 'user',
        id: ownerId,
        reason: 'not_member',
      },
    )
  }
}
