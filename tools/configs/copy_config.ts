import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import * as servers from '../../db/servers.ts'
import { findConfig, refuseTakenConfig } from '../../src/core/config-state.ts'
import { id, idempotencyKey, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { addServers } from '../../src/core/server-rows.ts'
import { openValues } from '../../src/core/server-values.ts'
import { configView, namedConfigView, showConfig } from '../../src/core/views/config.ts'

export const copy_config = operation({
  name: 'copy_config',
  title: 'Copy a configuration',
  description:
    'Makes a configuration of its own from another, with all of its servers: what they run or call, the values of their variables and headers, tools and guardrails. The new servers get ids and slugs of their own, and no project uses the copy yet; give it to one with assign_config.',
  input: z.strictObject({
    config_id: id('config', 'Configuration to copy'),
    name: name.describe('Name of the copy; no other configuration may have it.'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ config: configView }),
  short: z.object({ config: namedConfigView }),
  permission: 'configs:write',
  effect: 'create',
  retryable: true,
  target: (input, done) => done?.config.id ?? input.config_id,
  async run(ctx, { config_id, name }) {
    refuseBound(ctx)
    const source = await findConfig(ctx, config_id)
    await refuseTakenConfig(ctx, name)
    const rows = await servers.listOf(ctx.db, source.id)
    const times = { created_at: ctx.now, updated_at: ctx.now }
    const copy = await configs.insert(ctx.db, { id: ctx.newId('config'), name, ...times })
    const entries = rows.map((row) => ({
      ...row,
      env: openValues(ctx.keys, row, 'env'),
      headers: openValues(ctx.keys, row, 'headers'),
    }))
    await addServers(ctx, copy.id, entries)
    ctx.note({ name, source_id: source.id, servers: rows.length })
    return { config: await showConfig(ctx, copy) }
  },
})
