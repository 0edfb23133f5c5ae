import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import { cursor, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { complete, cut, pageOf } from '../../src/core/paging.ts'
import { listConfigs, listedConfigView } from '../../src/core/views/config.ts'
import { paging } from '../../src/core/views/named.ts'

export const list_configs = operation({
  name: 'list_configs',
  title: 'List configurations',
  description:
    'Lists configurations, newest first, with how many servers each has and which projects use it. Use the ids with get_config, which shows the servers, and with assign_config. A key bound to a project sees the configuration of that project only.',
  input: z.strictObject({
    text: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Part of the name, or of the name of one of its servers; letter case is ignored.'),
    order,
    limit,
    cursor: cursor.optional(),
    include_total: z.boolean().default(false).describe('Count beyond 1,000 as well; slower.'),
  }),
  output: z.object({ configs: z.array(listedConfigView), ...paging }),
  dialect: { input: complete.extend({ search: z.string().max(200) }) },
  permission: 'configs:read',
  effect: 'read',
  async run(ctx, input) {
    const text = input.search ?? input.text
    const found = await configs.list(ctx.db, ctx.scope, { text }, pageOf(input))
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await configs.count(ctx.db, ctx.scope, { text }, input.include_total)
    return { configs: await listConfigs(ctx, rows, text), next_cursor, total }
  },
})
