import { z } from 'zod'
import * as servers from '../../db/servers.ts'
import { cursor, id, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { cut, pageOf } from '../../src/core/paging.ts'
import { paging } from '../../src/core/views/named.ts'
import { serverView, showServer } from '../../src/core/views/server.ts'

export const list_servers = operation({
  name: 'list_servers',
  title: 'List MCP servers',
  description:
    'Lists the MCP servers that tokens can open, newest first, with id, slug and name. Use the ids as access.servers in create_token or update_token, and ids or slugs as server in validate_token. Deleted servers are left out unless include_deleted asks. It does not show what a server runs.',
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
  permission: 'servers:read',
  effect: 'read',
  async run(ctx, input) {
    const filter = {
      text: input.text,
      group_id: input.group_id,
      deleted: input.include_deleted ? undefined : false,
    }
    const found = await servers.list(ctx.db, ctx.scope, filter, pageOf(input))
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await servers.count(ctx.db, ctx.scope, filter, input.include_total)
    return { servers: rows.map(showServer), next_cursor, total }
  },
})
