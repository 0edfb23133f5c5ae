import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import {
  findConfig,
  findConfigServer,
  mostServers,
  refuseTakenServer,
  touchConfig,
} from '../../src/core/config-state.ts'
import { AppError } from '../../src/core/errors.ts'
import { description, id, idempotencyKey, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { guardrails, runs, tools } from '../../src/core/server-fields.ts'
import { insertServers } from '../../src/core/server-rows.ts'
import { newRuns, toldRuns } from '../../src/core/server-runs.ts'
import {
  configServerView,
  shortConfigServerView,
  showConfigServer,
} from '../../src/core/views/config-server.ts'

export const add_config_server = operation({
  name: 'add_config_server',
  title: 'Add a server to a configuration',
  description:
    'Adds an MCP server to a configuration: a program with arguments and variables, or the address of a remote one with headers. Nothing is started by it. Values of variables and headers are stored encrypted and never shown again. Use create_server for a server that belongs to no configuration, and set_server_guardrails to change its policies later.',
  input: z.strictObject({
    config_id: id('config', 'Configuration to add it to'),
    name: name.describe('Name of the server; no other server of the configuration may have it.'),
    runs: runs.describe('What it is: {command, args, env} or {url, headers}.'),
    tools: tools.default({}).describe('Tools to let through, by name; {} = every tool.'),
    description: description.default('').describe('Longer note for people.'),
    guardrails: guardrails.default({}).describe('Policies for requests and answers; absent = off.'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ server: configServerView }),
  short: z.object({ server: shortConfigServerView }),
  permission: 'configs:write',
  effect: 'create',
  retryable: true,
  target: (input, done) => done?.server.id ?? input.config_id,
  async run(ctx, { name, runs, tools, description, guardrails, ...input }) {
    refuseBound(ctx)
    const config = await findConfig(ctx, input.config_id)
    await refuseTakenServer(ctx, config.id, name)
    refuseMore((await configs.serverCounts(ctx.db, [config.id])).get(config.id) ?? 0)
    const made = newRuns(runs)
    const [server_id = ''] = await insertServers(ctx, config.id, [
      {
        ...made,
        name,
        description,
        metadata: '{}',
        tools: JSON.stringify(tools),
        input_guardrails: JSON.stringify(guardrails.input ?? {}),
        output_guardrails: JSON.stringify(guardrails.output ?? {}),
      },
    ])
    await touchConfig(ctx, config)
    ctx.note({ config_id: config.id, name, ...toldRuns(made) })
    return { server: showConfigServer(ctx, await findConfigServer(ctx, config, server_id)) }
  },
})

function refuseMore(count: number): void {
  if (count < mostServers) return
  throw new AppError(
    'conflict',
    `A configuration has ${mostServers} servers at most. Remove one with remove_config_server first.`,
    {
      entity: 'server',
      reason: 'too_many',
    },
  )
}
