import { z } from 'zod'
import type { UserRow } from '../../../db/schema.ts'
import * as users from '../../../db/users.ts'
import type { Context } from '../context.ts'
import { isoTime } from './named.ts'

/** A person who owns tokens; of the password only whether there is one. */
export const userView = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  enabled: z.boolean().describe('false = every token of the user is refused.'),
  has_password: z.boolean(),
  projects: z.array(z.object({ id: z.string(), name: z.string() })),
  created_at: isoTime,
  updated_at: isoTime,
})

/** Shows rows with their projects; one query for any number of users. */
export async function showUsers(ctx: Pick<Context, 'db' | 'scope'>, rows: readonly UserRow[]) {
  const memberships = await users.projectsOf(
    ctx.db,
    ctx.scope,
    rows.map((row) => row.id),
  )
  return rows.map(({ password_hash, ...row }) => ({
    ...row,
    enabled: row.enabled === 1,
    has_password: password_hash !== null,
    projects: memberships.filter((membership) => membership.user_id === row.id),
  }))
}

/** Shows one row. */
export async function showUser(ctx: Pick<Context, 'db' | 'scope'>, row: UserRow) {
  const [shown] = await showUsers(ctx, [row])
  if (shown === undefined) throw new Error('one row in, one view out')
  return shown
}
