import { z } from 'zod'
import * as servers from '../../db/servers.ts'
import { findConfig, touchConfig } from '../../src/core/config-state.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'

export const remove_config_servers = operation({
  name: 'remove_config_servers',
  title: 'Remove all servers of a configuration',
  description:
    'Removes every server of a configuration and deletes them for good; the configuration stays, and projects that use it reach no server through it. One that has none already is left alone. Use remove_config_server for a single one and delete_config to end the configuration too.',
  input: z.strictObject({ config_id: id('config', 'Configuration to empty') }),
  output: z.object({
    config: z.object({ id: z.string(), name: z.string() }),
    removed: z.int().describe('How many servers were deleted.'),
  }),
  permission: 'configs:write',
  effect: 'destroy',
  idempotent: true,
  target: (input, done) => done?.config.id ?? input.config_id,
  async run(ctx, { config_id }) {
    refuseBound(ctx)
    const config = await findConfig(ctx, config_id)
    const removed = await servers.removeOf(ctx.db, config.id, ctx.now)
    if (removed.length > 0) await touchConfig(ctx, config)
    ctx.note({ removed })
    return { config: { id: config.id, name: config.name }, removed: removed.length }
  },
})
