import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { AppError } from '../../src/core/errors.ts'
import { id, name } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject, touchProject } from '../../src/core/project-state.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

export const delete_environment = operation({
  name: 'delete_environment',
  title: 'Delete an environment of a project',
  description:
    'Removes an environment of a project with its variables, for good; tokens are not touched. The default environment can only be removed when it is the last one: make another the default with set_environment first. get_project shows the names.',
  input: z.strictObject({
    project_id: id('project', 'Project to change'),
    name: name.describe('Exact name of the environment.'),
  }),
  output: z.object({ project: projectView, changed: z.boolean() }),
  short: z.object({ project: shortProjectView, changed: z.boolean() }),
  permission: 'projects:write',
  effect: 'destroy',
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id, name }) {
    const project = await findProject(ctx, project_id)
    const all = await projects.environmentsOf(ctx.db, [project.id])
    const known = all.find((one) => one.name === name)
    if (known === undefined) {
      throw new AppError(
        'not_found',
        'The project has no environment of that name. get_project shows the names.',
        {
          entity: 'environment',
        },
      )
    }
    if (known.is_default === 1 && all.length > 1) {
      throw new AppError(
        'conflict',
        'This is the default environment. Make another the default with set_environment first.',
        {
          entity: 'environment',
          id: known.id,
          reason: 'default',
        },
      )
    }
    const changed = await projects.removeEnvironment(ctx.db, project.id, name)
    // Another one of that name is another one, so that a yes to this one does not remove it.
    ctx.note({ name, environment_id: known.id })
    return { project: await showProject(ctx, changed ? await touchProject(ctx, project) : project), changed }
  },
})
