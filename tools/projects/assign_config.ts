import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { findConfig } from '../../src/core/config-state.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject } from '../../src/core/project-state.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

const named = z.object({ id: z.string(), name: z.string() })

export const assign_config = operation({
  name: 'assign_config',
  title: 'Assign a configuration to a project',
  description:
    "Gives a project a configuration, in the place of the one it has: from the next request on the project's tokens reach the servers of this one and no others. A configuration may serve several projects. Use unassign_config to leave a project without one, and list_configs for the ids.",
  input: z.strictObject({
    project_id: id('project', 'Project that gets it'),
    config_id: id('config', 'Configuration to assign'),
  }),
  output: z.object({ project: projectView, config: named, changed: z.boolean() }),
  short: z.object({ project: shortProjectView, config: named, changed: z.boolean() }),
  permission: 'projects:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id, config_id }) {
    refuseBound(ctx)
    const project = await findProject(ctx, project_id)
    const config = await findConfig(ctx, config_id)
    const changed = project.config_id !== config.id
    const changes = { config_id: config.id, updated_at: ctx.now }
    const row = changed ? await projects.update(ctx.db, ctx.scope, project.id, changes) : project
    ctx.note({ config_id: config.id, was: project.config_id, changed })
    const shown = await showProject(ctx, row ?? project)
    return { project: shown, config: { id: config.id, name: config.name }, changed }
  },
})
