import { z } from 'zod'
import { holdsText } from '../../db/page.ts'
import * as projects from '../../db/projects.ts'
import type { ProjectRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from '../../src/core/context.ts'
import { cursor, id, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { complete, cut, pageOf } from '../../src/core/paging.ts'
import { findUser } from '../../src/core/user-state.ts'
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
  dialect: {
    input: complete.extend({
      search: z.string().max(200),
      /** Only projects of this user, who must be there; the keys counted are this user's. */
      member: z.string().min(1).max(254),
    }),
    output: z.object({
      matches: z.array(z.enum(['project_name', 'user_email'])),
      member_keys: z.array(z.int()),
    }),
  },
  permission: 'projects:read',
  effect: 'read',
  async run(ctx, input) {
    const { search, member } = input
    const user_id = member === undefined ? input.user_id : (await findUser(ctx, member)).id
    const filter = { ...input, user_id }
    const found = await projects.list(ctx.db, ctx.scope, filter, pageOf(input))
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await projects.count(ctx.db, ctx.scope, filter, input.include_total)
    return {
      projects: await listProjects(ctx, rows),
      next_cursor,
      total,
      ...(search === undefined ? {} : { matches: rows.map((row) => matchOf(row, search)) }),
      ...(member === undefined ? {} : { member_keys: await keysOf(ctx, rows, user_id) }),
    }
  },
})

/** What a search found the project by: the name, else the e-mail of a member. */
function matchOf({ name }: ProjectRow, search: string): 'project_name' | 'user_email' {
  return holdsText(name, search) ? 'project_name' : 'user_email'
}

/** How many keys the user has in each of the projects. */
async function keysOf(
  ctx: Context,
  rows: readonly ProjectRow[],
  userId: string | undefined,
): Promise<number[]> {
  const ids = rows.map(({ id }) => id)
  const counts = await tokens.countUserKeysIn(ctx.db, ctx.scope, ids)
  const own = new Map(counts.filter((one) => one.owner_id === userId).map((one) => [one.project_id, one.n]))
  return ids.map((id) => own.get(id) ?? 0)
}
