import { z } from 'zod'
import { holdsText } from '../../db/page.ts'
import * as users from '../../db/users.ts'
import { cursor, id, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { complete, cut, pageOf } from '../../src/core/paging.ts'
import { paging } from '../../src/core/views/named.ts'
import { showUsers, userView } from '../../src/core/views/user.ts'

export const list_users = operation({
  name: 'list_users',
  title: 'List users',
  description:
    'Lists users, newest first, with e-mail, name, whether enabled, and their projects. Use the ids as owner_id in create_token and list_magic_tokens, or with add_project_member. Deleted users are not listed; a key bound to a project sees the members of that project only.',
  input: z.strictObject({
    text: z.string().min(1).max(200).optional().describe('Part of e-mail or name; letter case is ignored.'),
    project_id: id('project', 'Only members of this project').optional(),
    enabled: z.boolean().optional().describe('Only enabled users, or only disabled ones.'),
    order,
    limit,
    cursor: cursor.optional(),
    include_total: z.boolean().default(false).describe('Count beyond 1,000 as well; slower.'),
  }),
  output: z.object({ users: z.array(userView), ...paging }),
  dialect: {
    input: complete.extend({ search: z.string().max(200) }),
    output: z.object({ matches: z.array(z.enum(['email', 'project_name'])) }),
  },
  permission: 'users:read',
  effect: 'read',
  async run(ctx, input) {
    const found = await users.list(ctx.db, ctx.scope, input, pageOf(input))
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await users.count(ctx.db, ctx.scope, input, input.include_total)
    const listed = { users: await showUsers(ctx, rows), next_cursor, total }
    const { search } = input
    return search === undefined ? listed : { ...listed, matches: rows.map((row) => matchOf(row, search)) }
  },
})

/** What a search found the user by: the e-mail, else the name of a project. */
function matchOf({ email }: { email: string }, search: string): 'email' | 'project_name' {
  return holdsText(email, search) ? 'email' : 'project_name'
}
