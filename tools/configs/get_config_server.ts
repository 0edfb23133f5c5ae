import { z } from 'zod'
import { findConfigNamed, findConfigServerNamed } from '../../src/core/config-state.ts'
import { idOrName } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { configServerView, showConfigServer } from '../../src/core/views/config-server.ts'

export const get_config_server = operation({
  name: 'get_config_server',
  title: 'Get a server of a configuration',
  description:
    'Shows one server of a configuration in full: what it runs or calls, the tools it lets through and the guardrails of both sides; values of variables and headers read ***, with a fingerprint each. Takes ids or exact names. Use get_config to see all servers of a configuration, and get_server for what every face knows of one.',
  input: z.strictObject({
    config_id: idOrName('config', 'Configuration'),
    server_id: idOrName('server', 'Server'),
  }),
  output: z.object({ server: configServerView }),
  permission: 'configs:read',
  effect: 'read',
  target: (input) => input.server_id,
  async run(ctx, { config_id, server_id }) {
    const config = await findConfigNamed(ctx, config_id)
    return { server: showConfigServer(ctx, await findConfigServerNamed(ctx, config, server_id)) }
  },
})
