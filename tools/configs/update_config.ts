import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import { findConfig, refuseTakenConfig } from '../../src/core/config-state.ts'
import { id, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { configView, namedConfigView, showConfig } from '../../src/core/views/config.ts'

export const update_config = operation({
  name: 'update_config',
  title: 'Rename a configuration',
  description:
    'Gives a configuration another name; its id and servers stay, and so do the projects that use it. The old name is free afterwards. Use update_config_server to change what a server of it runs, and add_config_server or remove_config_server to change which there are.',
  input: z.strictObject({
    config_id: id('config', 'Configuration to rename'),
    name: name.describe('New name; no other configuration may have it.'),
  }),
  output: z.object({ config: configView, changed: z.boolean() }),
  short: z.object({ config: namedConfigView, changed: z.boolean() }),
  permission: 'configs:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.config.id ?? input.config_id,
  async run(ctx, { config_id, name }) {
    refuseBound(ctx)
    const config = await findConfig(ctx, config_id)
    const changed = config.name !== name
    if (changed) await refuseTakenConfig(ctx, name)
    ctx.note({ name, was: config.name, changed })
    const row = changed ? await configs.update(ctx.db, config.id, { name, updated_at: ctx.now }) : config
    return { config: await showConfig(ctx, row ?? config), changed }
  },
})
