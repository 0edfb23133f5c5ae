import { z } from 'zod'
import { findConfig } from '../../src/core/config-state.ts'
import { AppError } from '../../src/core/errors.ts'
import { idOrName } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findProjectNamed } from '../../src/core/project-state.ts'
import { configView, shortConfigView, showConfig } from '../../src/core/views/config.ts'

export const get_project_config = operation({
  name: 'get_project_config',
  title: "Get a project's configuration",
  description:
    'Shows the configuration that is assigned to a project: the servers that tokens of the project can reach, and what they run or call; values of variables and headers read ***. Takes an id or an exact name of the project. Use assign_config to give it another one, and get_config to start from a configuration.',
  input: z.strictObject({ project_id: idOrName('project', 'Project') }),
  output: z.object({ config: configView }),
  short: z.object({ config: shortConfigView }),
  permission: 'configs:read',
  effect: 'read',
  target: (input) => input.project_id,
  async run(ctx, { project_id }) {
    const project = await findProjectNamed(ctx, project_id)
    if (project.config_id === null) {
      throw new AppError('not_found', 'No configuration is assigned to this project. Use assign_config.', {
        entity: 'configuration',
        id: project.id,
        reason: 'none_assigned',
      })
    }
    return { config: await showConfig(ctx, await findConfig(ctx, project.config_id)) }
  },
})
