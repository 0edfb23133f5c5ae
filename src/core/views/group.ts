import { z } from 'zod'
import * as groups from '../../../db/groups.ts'
import type { GroupRow } from '../../../db/schema.ts'
import type { Context } from '../context.ts'
import { shared } from '../fields.ts'
import { exactObject, isoTime, named } from './named.ts'

/** A group of servers. */
export const groupView = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  metadata: exactObject,
  status: z.enum(['active', 'deleted']),
  servers: z.array(named),
  created_at: isoTime,
  updated_at: isoTime,
  deleted_at: isoTime.nullable(),
})

shared.add(groupView, { id: 'Group' })

type Shown = Pick<Context, 'db' | 'scope'>

/** Shows rows with the servers in the caller's scope; one query for any number of groups. */
export async function showGroups(ctx: Shown, rows: readonly GroupRow[]) {
  const servers = await groups.serversOf(
    ctx.db,
    ctx.scope,
    rows.map((row) => row.id),
  )
  return rows.map((row) => ({
    ...row,
    metadata: JSON.parse(row.metadata) as Record<string, unknown>,
    status: row.deleted_at === null ? ('active' as const) : ('deleted' as const),
    servers: servers.filter((server) => server.group_id === row.id),
  }))
}

/** Shows one row. */
export async function showGroup(ctx: Shown, row: GroupRow) {
  const [shown] = await showGroups(ctx, [row])
  if (shown === undefined) throw new Error('one row in, one view out')
  return shown
}
