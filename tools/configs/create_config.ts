import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import { refuseTakenConfig } from '../../src/core/config-state.ts'
import { idempotencyKey, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { configView, namedConfigView, showConfig } from '../../src/core/views/config.ts'

export const create_config = operation({
  name: 'create_config',
  title: 'Create a configuration',
  description:
    'Creates a configuration: a named list of MCP servers that projects are given as a whole. It starts without servers. Then use add_config_server to fill it and assign_config to give it to a project; copy_config makes one from another.',
  input: z.strictObject({
    name: name.describe('Name of the configuration; no other may have it.'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ config: configView }),
  short: z.object({ config: namedConfigView }),
  permission: 'configs:write',
  effect: 'create',
  retryable: true,
  target: (_, done) => done?.config.id,
  async run(ctx, { name }) {
    refuseBound(ctx)
    await refuseTakenConfig(ctx, name)
    const times = { created_at: ctx.now, updated_at: ctx.now }
    const row = await configs.insert(ctx.db, { id: ctx.newId('config'), name, ...times })
    ctx.note({ name })
    return { config: await showConfig(ctx, row) }
  },
})
