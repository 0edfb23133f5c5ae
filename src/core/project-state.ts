import * as projects from '../../db/projects.ts'
import type { ProjectRow } from '../../db/schema.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'

/** The live project in the caller's scope. */
export async function findProject(ctx: Context, id: string): Promise<ProjectRow> {
  const project = await projects.findLive(ctx.db, ctx.scope, id)
  if (project === undefined) throw notFound('project', id, 'list_projects shows the ids.')
  return project
}

/** Refuses a name that another live project has. */
export async function refuseTakenName(ctx: Context, name: string): Promise<void> {
  if ((await projects.findNamed(ctx.db, {}, name)) === undefined) return
  throw new AppError('conflict', 'Another project has this name. Choose a different one.', {
    entity: 'project',
    field: 'name',
    reason: 'name_taken',
  })
}

/** Marks the project as changed and answers its row. */
export async function touchProject(ctx: Context, project: ProjectRow): Promise<ProjectRow> {
  return (await projects.update(ctx.db, ctx.scope, project.id, { updated_at: ctx.now })) ?? project
}
