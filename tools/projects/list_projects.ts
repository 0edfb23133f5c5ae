import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { cursor, id, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { complete, cut, pageOf } from '../../src/core/paging.ts'
import { paging } from '../../src/core/views/named.ts'
import { listedProjectView, listProjects } from '../../src/core/views/project.ts'

export const list_projects = operation({
  name: 'list_projects',
  title: 'List projects',
  description:
    'Lists projects, newest first, with name, number of members and names of environments. Use the ids as project_id in create_token and list_magic_tokens; get_project shows members and variables. Deleted projects are not listed; a key bound to a project sees that one only.',
  input: z.strictObject({
    text: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Part of the name or description; letter case is ignored.'),
    user_id: id('user', 'Only projects this user is a member of').optional(),
    order,
    limit,
    cursor: cursor.optional(),
    include_total: z.boolean().default(false).describe('Count beyond 1,000 as well; slower.'),
  }),
  output: z.object({ projects: z.array(listedProjectView), ...paging }),
  dialect: { input: complete },
  permission: 'projects:read',
  effect: 'read',
  async run(ctx, input) {
    const found = await projects.list(ctx.db, ctx.scope, input, pageOf(input))
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await projects.count(ctx.db, ctx.scope, input, input.include_total)
    return { projects: await listProjects(ctx, rows), next_cursor, total }
  },
})
