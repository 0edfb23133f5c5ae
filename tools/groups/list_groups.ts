import { z } from 'zod'
import * as groups from '../../db/groups.ts'
import { cursor, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { cut, pageOf, windowed, windowFlags, windowOf } from '../../src/core/paging.ts'
import { stateFilter, states } from '../../src/core/states.ts'
import { groupView, showGroups } from '../../src/core/views/group.ts'
import { paging } from '../../src/core/views/named.ts'

export const list_groups = operation({
  name: 'list_groups',
  title: 'List groups of servers',
  description:
    'Lists the groups of MCP servers that tokens can be put into, newest first, each with its servers. Deleted groups are left out unless include_deleted asks. Use the ids with add_groups, or as access.groups in create_token; list_magic_tokens with group_id shows which tokens are in one.',
  input: z.strictObject({
    text: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Part of the name or description; letter case is ignored.'),
    include_deleted: z.boolean().default(false).describe('Show deleted groups as well.'),
    order,
    limit,
    cursor: cursor.optional(),
    include_total: z.boolean().default(false).describe('Count beyond 1,000 as well; slower.'),
  }),
  output: z.object({ groups: z.array(groupView), ...paging }),
  dialect: { input: windowed.extend(states.shape), output: windowFlags },
  permission: 'groups:read',
  effect: 'read',
  async run(ctx, input) {
    const filter = { text: input.text, ...stateFilter(input, input.include_deleted) }
    if (input.window !== undefined) {
      const { rows, ...flags } = await windowOf(
        { ...input, window: input.window },
        {
          list: (page) => groups.list(ctx.db, filter, page),
          exists: async (id) => (await groups.find(ctx.db, id)) !== undefined,
          matches: (id) => groups.matches(ctx.db, filter, id),
        },
      )
      return { groups: await showGroups(ctx, rows), next_cursor: null, total: null, ...flags }
    }
    const found = await groups.list(ctx.db, filter, pageOf(input))
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await groups.count(ctx.db, filter, input.include_total)
    return { groups: await showGroups(ctx, rows), next_cursor, total }
  },
})
