import * as projects from '../../db/projects.ts'
import type { ProjectRow } from '../../db/schema.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'
import { namesToo, readsNamesToo } from './found.ts'

/** The live project in the caller's scope. */
export async function findProject(ctx: Context, id: string): Promise<ProjectRow> {
  return projectOr(ctx, id, namesToo(ctx, id))
}

/** As `findProject`, by its exact name too: for reads, where the face's contract has names. */
export async function findProjectNamed(ctx: Context, text: string): Promise<ProjectRow> {
  return projectOr(ctx, text, readsNamesToo(ctx, text))
}

async function projectOr(ctx: Context, text: string, named: boolean): Promise<ProjectRow> {
  const byId = await projects.findLive(ctx.db, ctx.scope, text)
  const found = byId ?? (named ? await projects.findNamed(ctx.db, ctx.scope, text) : undefined)
  if (found === undefined) throw notFound('project', text, 'list_projects shows the ids.')
  return found
}

/** Refuses a name that another live project has. */
export async function refuseTakenName(ctx: Context, name: string): Promise<void> {
  if ((await projects.findNamed(ctx.db, {}, name)) === undefined) return
  throw new AppError(
    'conflict',
    'Another project has this name. Choose a different one; list_projects shows them.',
    {
      entity: 'project',
      field: 'name',
      reason: 'name_taken',
    },
  )
}

/** Marks the project as changed and answers its row. */
export async function touchProject(ctx: Context, project: ProjectRow): Promise<ProjectRow> {
  return (await projects.update(ctx.db, ctx.scope, project.id, { updated_at: ctx.now })) ?? project
}
