import { z } from 'zod'
import * as servers from '../../db/servers.ts'
import { cursor, id, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { cut, pageOf, windowed, windowFlags, windowOf } from '../../src/core/paging.ts'
import { stateFilter, states } from '../../src/core/states.ts'
import { paging } from '../../src/core/views/named.ts'
import { serverView, showServer } from '../../src/core/views/server.ts'

export const list_servers = operation({
  name: 'list_servers',
  title: 'List MCP servers',
  description:
    'Lists the MCP servers that tokens can open, newest first, with id, slug and name. Use the ids as access.servers in create_token or update_token, and ids or slugs as server in validate_token. Deleted servers are left out unless include_deleted asks. Each says in runs whether a program, an address or nothing yet is behind it.',
  input: z.strictObject({
    text: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Part of name, slug or description; letter case is ignored.'),
    group_id: id('group', 'Only servers in this group').optional(),
    include_deleted: z.boolean().default(false).describe('Show deleted servers as well.'),
    order,
    limit,
    cursor: cursor.optional(),
    include_total: z.boolean().default(false).describe('Count beyond 1,000 as well; slower.'),
  }),
  output: z.object({ servers: z.array(serverView), ...paging }),
  dialect: {
    input: z.object({ ...windowed.shape, ...states.shape, group_ids: z.array(z.string()).min(1) }),
    output: windowFlags,
  },
  permission: 'servers:read',
  effect: 'read',
  async run(ctx, input) {
    const filter = {
      text: input.text,
      group_id: input.group_id,
      group_ids: input.group_ids,
      ...stateFilter(input, input.include_deleted),
    }
    if (input.window !== undefined) {
      const { db, scope } = ctx
      const { rows, ...flags } = await windowOf(
        { ...input, window: input.window },
        {
          list: (page) => servers.list(db, scope, filter, page),
          exists: async (id) => (await servers.find(db, scope, id)) !== undefined,
          matches: (id) => servers.matches(db, scope, filter, id),
        },
      )
      return { servers: rows.map(showServer), next_cursor: null, total: null, ...flags }
    }
    const found = await servers.list(ctx.db, ctx.scope, filter, pageOf(input))
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await servers.count(ctx.db, ctx.scope, filter, input.include_total)
    return { servers: rows.map(showServer), next_cursor, total }
  },
})
