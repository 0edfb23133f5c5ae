import { z } from 'zod'
import { findConfig, findConfigServer, touchConfig } from '../../src/core/config-state.ts'
import { description, id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { unchosen } from '../../src/core/parse.ts'
import { changeServer } from '../../src/core/server-change.ts'
import { runsPart, tools } from '../../src/core/server-fields.ts'
import {
  configServerView,
  shortConfigServerView,
  showConfigServer,
} from '../../src/core/views/config-server.ts'

export const update_config_server = operation({
  name: 'update_config_server',
  title: 'Change a server of a configuration',
  description:
    'Changes what a server of a configuration runs or calls, its tools or its description; id, slug, name and guardrails stay. Members that are absent stay, in runs too; env and headers are replaced whole. Use set_server_guardrails for its policies and update_server for its name.',
  input: z.strictObject({
    config_id: id('config', 'Configuration the server is in'),
    server_id: id('server', 'Server to change'),
    runs: runsPart.optional().describe('What changes of {command, args, env}, or of {url, headers}.'),
    tools: tools.optional().describe('Tools to let through, by name; {} = every tool.'),
    description: description.optional().describe('New description; "" empties it.'),
  }),
  output: z.object({ server: configServerView, changed: z.boolean() }),
  short: z.object({ server: shortConfigServerView, changed: z.boolean() }),
  permission: 'configs:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.server.id ?? input.server_id,
  check({ runs, tools, description }) {
    if ((runs ?? tools ?? description) === undefined)
      throw unchosen(['runs', 'tools', 'description'], 'one of these must be given')
  },
  async run(ctx, { config_id, server_id, runs, tools, description }) {
    refuseBound(ctx)
    const config = await findConfig(ctx, config_id)
    const server = await findConfigServer(ctx, config, server_id)
    const { row, changed } = await changeServer(ctx, server, { runs, tools, description })
    if (changed) await touchConfig(ctx, config)
    ctx.note({ config_id: config.id })
    return { server: showConfigServer(ctx, row), changed }
  },
})
