import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { AppError } from '../../src/core/errors.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject } from '../../src/core/project-state.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

export const unassign_config = operation({
  name: 'unassign_config',
  title: "Take a project's configuration away",
  description:
    'Leaves a project without a configuration: its tokens stay valid and reach no server from the next request on. The configuration and its servers stay. A project that has none is refused. Use assign_config to give it another one instead, and revoke_token to end a token.',
  input: z.strictObject({ project_id: id('project', 'Project to change') }),
  output: z.object({ project: projectView }),
  short: z.object({ project: shortProjectView }),
  permission: 'projects:write',
  effect: 'change',
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id }) {
    refuseBound(ctx)
    const project = await findProject(ctx, project_id)
    if (project.config_id === null) {
      throw new AppError(
        'conflict',
        'No configuration is assigned to this project. assign_config gives it one.',
        {
          entity: 'project',
          id: project.id,
          reason: 'none_assigned',
        },
      )
    }
    const changes = { config_id: null, updated_at: ctx.now }
    const row = await projects.update(ctx.db, ctx.scope, project.id, changes)
    ctx.note({ was: project.config_id })
    return { project: await showProject(ctx, row ?? project) }
  },
})
