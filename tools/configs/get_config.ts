import { z } from 'zod'
import { findConfigNamed } from '../../src/core/config-state.ts'
import { idOrName } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { configView, shortConfigView, showConfig } from '../../src/core/views/config.ts'

export const get_config = operation({
  name: 'get_config',
  title: 'Get a configuration',
  description:
    'Shows one configuration with its servers, what they run or call, and the projects that use it; values of variables and headers read ***. Takes an id or an exact name. Use list_configs to search, get_config_server for the tools and guardrails of one server, and get_project_config to start from a project.',
  input: z.strictObject({ config_id: idOrName('config', 'Configuration') }),
  output: z.object({ config: configView }),
  short: z.object({ config: shortConfigView }),
  permission: 'configs:read',
  effect: 'read',
  target: (input) => input.config_id,
  async run(ctx, { config_id }) {
    return { config: await showConfig(ctx, await findConfigNamed(ctx, config_id)) }
  },
})
