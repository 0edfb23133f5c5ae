import { z } from 'zod'
import type { UserRow } from '../../../db/schema.ts'
import * as tokens from '../../../db/tokens.ts'
import * as users from '../../../db/users.ts'
import type { Context } from '../context.ts'
import { shared } from '../fields.ts'
import { isoTime } from './named.ts'

/** A person who owns tokens; of the password only whether there is one. */
export const userView = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  enabled: z.boolean().describe('false = every token of the user is refused.'),
  has_password: z.boolean(),
  projects: z.array(z.object({ id: z.string(), name: z.string() })),
  user_key_count: z.int().describe('User keys that are not revoked.'),
  created_at: isoTime,
  updated_at: isoTime,
})

shared.add(userView, { id: 'User' })

/** Shows rows with their projects and counts of keys; two queries for any number of users. */
export async function showUsers(ctx: Pick<Context, 'db' | 'scope'>, rows: readonly UserRow[]) {
  const ids = rows.map((row) => row.id)
  const memberships = new Map<string, { id: string; name: string; created_at: string }[]>(
    ids.map((id) => [id, []]),
  )
  for (const { user_id, ...project } of await users.projectsOf(ctx.db, ctx.scope, ids))
    memberships.get(user_id)?.push(project)
  const counts = await tokens.countUserKeys(ctx.db, ctx.scope, ids)
  return rows.map(({ password_hash, ...row }) => ({
    ...row,
    enabled: row.enabled === 1,
    has_password: password_hash !== null,
    projects: memberships.get(row.id) ?? [],
    user_key_count: counts.get(row.id) ?? 0,
  }))
}

/** Shows one row. */
export async function showUser(ctx: Pick<Context, 'db' | 'scope'>, row: UserRow) {
  const [shown] = await showUsers(ctx, [row])
  if (shown === undefined) throw new Error('one row in, one view out')
  return shown
}
