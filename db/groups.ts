import { type Insertable, sql, type Updateable } from 'kysely'
import type { Db } from './open.ts'
import { countOf, type Page, rowsOf, textIn } from './page.ts'
import type { GroupRow, GroupTable } from './schema.ts'
import { ownServers, type Scope } from './scope.ts'

export interface GroupFilter {
  /** Substring of name or description, letter case ignored. */
  text?: string | undefined
  deleted?: boolean | undefined
  /** No row at all. */
  none?: boolean | undefined
}

export async function insert(db: Db, row: Insertable<GroupTable>): Promise<GroupRow> {
  return db.insertInto('groups').values(row).returningAll().executeTakeFirstOrThrow()
}

/** The group with this id, deleted ones included. */
export async function find(db: Db, id: string): Promise<GroupRow | undefined> {
  return db.selectFrom('groups').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function findMany(db: Db, ids: readonly string[]): Promise<GroupRow[]> {
  if (ids.length === 0) return []
  return db.selectFrom('groups').selectAll().where('id', 'in', ids).execute()
}

/** Up to two live groups of that exact name. */
export async function findNamed(db: Db, name: string): Promise<GroupRow[]> {
  return db
    .selectFrom('groups')
    .selectAll()
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .limit(2)
    .execute()
}

/** Changes a live group. */
export async function update(
  db: Db,
  id: string,
  changes: Updateable<GroupTable>,
): Promise<GroupRow | undefined> {
  return db
    .updateTable('groups')
    .set(changes)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
}

/** Leaves a tombstone; the group leaves every token and loses its servers, and nothing widens (security R16). */
export async function remove(db: Db, id: string, now: string): Promise<GroupRow | undefined> {
  const row = await update(db, id, { deleted_at: now, updated_at: now })
  if (row === undefined) return undefined
  await db.deleteFrom('token_groups').where('group_id', '=', id).execute()
  await db.deleteFrom('group_servers').where('group_id', '=', id).execute()
  return row
}

/** The live servers in scope of each group, in id order. */
export async function serversOf(db: Db, scope: Scope, ids: readonly string[]) {
  if (ids.length === 0) return []
  return db
    .selectFrom('group_servers')
    .innerJoin('servers', 'servers.id', 'group_servers.server_id')
    .select(['group_servers.group_id', 'servers.id', 'servers.slug', 'servers.name'])
    .where('group_servers.group_id', 'in', ids)
    .where(ownServers(scope))
    .orderBy('servers.id')
    .execute()
}

export async function addServers(db: Db, id: string, serverIds: readonly string[]): Promise<boolean> {
  if (serverIds.length === 0) return false
  const rows = serverIds.map((server_id) => ({ group_id: id, server_id }))
  const added = await db
    .insertInto('group_servers')
    .values(rows)
    .onConflict((same) => same.doNothing())
    .execute()
  return added.some((result) => (result.numInsertedOrUpdatedRows ?? 0n) > 0n)
}

export async function removeServers(db: Db, id: string, serverIds: readonly string[]): Promise<boolean> {
  if (serverIds.length === 0) return false
  const removed = await db
    .deleteFrom('group_servers')
    .where('group_id', '=', id)
    .where('server_id', 'in', serverIds)
    .execute()
  return removed.some((result) => result.numDeletedRows > 0n)
}

function filtered(db: Db, { text, deleted, none }: GroupFilter) {
  let query = db.selectFrom('groups')
  if (deleted !== undefined) query = query.where('deleted_at', deleted ? 'is not' : 'is', null)
  if (none === true) query = query.where(sql.lit(false))
  if (text !== undefined) query = query.where(textIn(text, ['name', 'description']))
  return query
}

export async function list(db: Db, filter: GroupFilter, page: Page): Promise<GroupRow[]> {
  return rowsOf(filtered(db, filter).selectAll(), 'id', page)
}

/** True if the group is one of those the filter lets through. */
export async function matches(db: Db, filter: GroupFilter, id: string): Promise<boolean> {
  const found = await filtered(db, filter).select('groups.id').where('groups.id', '=', id).executeTakeFirst()
  return found !== undefined
}

/** How many groups match; beyond 1,000 null, unless `exact` asks for the whole count. */
export async function count(db: Db, filter: GroupFilter, exact: boolean): Promise<number | null> {
  return countOf(db, filtered(db, filter).select('id'), exact)
}
