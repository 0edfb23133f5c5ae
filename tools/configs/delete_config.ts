import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import * as servers from '../../db/servers.ts'
import { findConfig } from '../../src/core/config-state.ts'
import { AppError } from '../../src/core/errors.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'

export const delete_config = operation({
  name: 'delete_config',
  title: 'Delete a configuration',
  description:
    'Deletes a configuration and its servers for good: they leave every group and every token, and no token gains anything by it. One that is assigned to a project is refused; use unassign_config first. Use remove_config_server to delete single servers.',
  input: z.strictObject({ config_id: id('config', 'Configuration to delete') }),
  output: z.object({
    config: z.object({ id: z.string(), name: z.string() }),
    removed_servers: z.int().describe('How many servers were deleted with it.'),
  }),
  permission: 'configs:write',
  effect: 'destroy',
  target: (input, done) => done?.config.id ?? input.config_id,
  async run(ctx, { config_id }) {
    refuseBound(ctx)
    const { id, name } = await findConfig(ctx, config_id)
    const users = await configs.projectsOf(ctx.db, ctx.scope, [id])
    if (users.length > 0) {
      throw new AppError(
        'conflict',
        `The configuration is assigned to ${users.length} project(s). Use unassign_config first.`,
        { entity: 'configuration', id, reason: 'in_use' },
      )
    }
    const removed = await servers.removeOf(ctx.db, id, ctx.now)
    await configs.remove(ctx.db, id)
    ctx.note({ name, removed_servers: removed })
    return { config: { id, name }, removed_servers: removed.length }
  },
})
