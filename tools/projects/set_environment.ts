import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import type { EnvironmentRow } from '../../db/schema.ts'
import type { Context } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { description, id, name } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject, touchProject } from '../../src/core/project-state.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

/** Enough for any client, and a bound on what one project can store. */
const mostEnvironments = 50

const variables = z
  .record(
    z.string().regex(/^[A-Za-z_][\w.-]{0,199}$/, 'must be 1 to 200 letters, digits, _ . -'),
    z.string().max(8_000),
  )
  .refine((value) => JSON.stringify(value).length <= 16_384, 'must be at most 16,384 characters as JSON')

export const set_environment = operation({
  name: 'set_environment',
  title: 'Set an environment of a project',
  description:
    'Creates an environment of a project, or changes the one of that name; members that are absent stay. Variables are plain text shown to every reader and client of the project, so put no secrets there. Making one the default takes that from the one before; use delete_environment to remove one.',
  input: z.strictObject({
    project_id: id('project', 'Project to change'),
    name: name.describe('Name of the environment, such as "production".'),
    description: description.optional().describe('Longer note for people; "" empties it.'),
    variables: variables
      .optional()
      .describe('Names and text values; replaces all variables of the environment.'),
    is_default: z.boolean().optional().describe('true = the one clients use when they name none.'),
  }),
  output: z.object({ project: projectView, changed: z.boolean() }),
  short: z.object({ project: shortProjectView, changed: z.boolean() }),
  permission: 'projects:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, input) {
    const project = await findProject(ctx, input.project_id)
    const all = await projects.environmentsOf(ctx.db, [project.id])
    const known = all.find((one) => one.name === input.name)
    refuseUnfit(known, all.length, input.is_default)
    const next = {
      description: input.description ?? known?.description ?? null,
      variables: input.variables === undefined ? (known?.variables ?? '{}') : JSON.stringify(input.variables),
      is_default: all.length === 0 || input.is_default === true ? 1 : (known?.is_default ?? 0),
    }
    const { description, variables, is_default } = known ?? {}
    const changed = !isDeepStrictEqual(next, { description, variables, is_default })
    if (changed) await put(ctx, { ...next, id: known?.id, project_id: project.id, name: input.name })
    ctx.note({ name: input.name, created: known === undefined, changed, is_default: next.is_default === 1 })
    if (input.variables !== undefined) ctx.note({ variables: Object.keys(input.variables) })
    return { project: await showProject(ctx, changed ? await touchProject(ctx, project) : project), changed }
  },
})

function refuseUnfit(
  known: EnvironmentRow | undefined,
  count: number,
  is_default: boolean | undefined,
): void {
  if (is_default === false && (known?.is_default === 1 || count === 0)) {
    throw new AppError(
      'conflict',
      'A project has one default environment. Give is_default true to another one instead.',
      {
        entity: 'environment',
        field: 'is_default',
        reason: 'default',
      },
    )
  }
  if (known === undefined && count >= mostEnvironments) {
    throw new AppError(
      'conflict',
      `A project has at most ${mostEnvironments} environments. Remove one with delete_environment first.`,
      {
        entity: 'environment',
      },
    )
  }
}

/** Its id stays with it for as long as its name does. */
async function put(
  ctx: Context,
  row: Pick<EnvironmentRow, 'project_id' | 'name' | 'description' | 'variables' | 'is_default'> & {
    id: string | undefined
  },
): Promise<void> {
  const id = row.id ?? ctx.newId('environment')
  await projects.putEnvironment(ctx.db, { ...row, id, created_at: ctx.now, updated_at: ctx.now })
}
