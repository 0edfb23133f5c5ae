import { z } from 'zod'
import * as servers from '../../db/servers.ts'
import { findConfig, findConfigServer, touchConfig } from '../../src/core/config-state.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'

export const remove_config_server = operation({
  name: 'remove_config_server',
  title: 'Remove a server from a configuration',
  description:
    'Removes a server from its configuration and deletes it for good: it leaves every group and every token, and no token gains anything by it. Its name is free afterwards, its slug is not given out again. Use remove_config_servers to empty the configuration.',
  input: z.strictObject({
    config_id: id('config', 'Configuration the server is in'),
    server_id: id('server', 'Server to remove'),
  }),
  output: z.object({ server: z.object({ id: z.string(), slug: z.string(), name: z.string() }) }),
  permission: 'configs:write',
  effect: 'destroy',
  target: (input, done) => done?.server.id ?? input.server_id,
  async run(ctx, { config_id, server_id }) {
    refuseBound(ctx)
    const config = await findConfig(ctx, config_id)
    const { id, slug, name } = await findConfigServer(ctx, config, server_id)
    await servers.remove(ctx.db, ctx.scope, id, ctx.now)
    await touchConfig(ctx, config)
    ctx.note({ config_id: config.id, slug, name })
    return { server: { id, slug, name: name ?? '' } }
  },
})
