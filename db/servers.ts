import { type Insertable, sql, type Updateable } from 'kysely'
import type { Db } from './open.ts'
import { countOf, type Page, rowsOf, textIn } from './page.ts'
import type { ServerRow, ServerTable } from './schema.ts'
import { ownServers, type Scope } from './scope.ts'

export interface ServerFilter {
  /** Substring of name, slug or description, letter case ignored. */
  text?: string | undefined
  group_id?: string | undefined
  deleted?: boolean | undefined
  /** In any of these; at least one. */
  group_ids?: readonly string[] | undefined
  /** No row at all. */
  none?: boolean | undefined
}

export async function insert(db: Db, row: Insertable<ServerTable>): Promise<ServerRow> {
  return db.insertInto('servers').values(row).returningAll().executeTakeFirstOrThrow()
}

/** Few enough rows that their values fit into one statement on every engine. */
const chunk = 500

export async function insertMany(db: Db, rows: readonly Insertable<ServerTable>[]): Promise<void> {
  for (let at = 0; at < rows.length; at += chunk) {
    await db
      .insertInto('servers')
      .values(rows.slice(at, at + chunk))
      .execute()
  }
}

/** The server with this id, deleted ones included. */
export async function find(db: Db, scope: Scope, id: string): Promise<ServerRow | undefined> {
  return db
    .selectFrom('servers')
    .selectAll()
    .where('servers.id', '=', id)
    .where(ownServers(scope))
    .executeTakeFirst()
}

export async function findMany(db: Db, scope: Scope, ids: readonly string[]): Promise<ServerRow[]> {
  if (ids.length === 0) return []
  return db
    .selectFrom('servers')
    .selectAll()
    .where('servers.id', 'in', ids)
    .where(ownServers(scope))
    .execute()
}

/** Up to two live servers of that exact name or slug. */
export async function findNamed(db: Db, scope: Scope, name: string): Promise<ServerRow[]> {
  return db
    .selectFrom('servers')
    .selectAll()
    .where((is) => is.or([is('name', '=', name), is('slug', '=', name)]))
    .where('deleted_at', 'is', null)
    .where(ownServers(scope))
    .limit(2)
    .execute()
}

/** The live server with this slug. */
export async function findSlug(db: Db, scope: Scope, slug: string): Promise<ServerRow | undefined> {
  return db
    .selectFrom('servers')
    .selectAll()
    .where('slug', '=', slug)
    .where('deleted_at', 'is', null)
    .where(ownServers(scope))
    .executeTakeFirst()
}

/** The live server of that name in a configuration; names are unique in one. */
export async function findInConfig(db: Db, configId: string, name: string): Promise<ServerRow | undefined> {
  return db
    .selectFrom('servers')
    .selectAll()
    .where('config_id', '=', configId)
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
}

/** The live servers of a configuration, oldest first. */
export async function listOf(db: Db, configId: string): Promise<ServerRow[]> {
  return db
    .selectFrom('servers')
    .selectAll()
    .where('config_id', '=', configId)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .execute()
}

/** Live servers that keep values, in id order behind `after`. */
export async function holdingValues(db: Db, after: string, limit: number): Promise<ServerRow[]> {
  return db
    .selectFrom('servers')
    .selectAll()
    .where('id', '>', after)
    .where('deleted_at', 'is', null)
    .where((is) => is.or([is('env', 'is not', null), is('headers', 'is not', null)]))
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** The slugs that are this one or this one with `-2`, `-3`, … behind it, deleted servers included. */
export async function slugsLike(db: Db, slug: string): Promise<string[]> {
  const rows = await db
    .selectFrom('servers')
    .select('slug')
    .where((is) => is.or([is('slug', '=', slug), sql<boolean>`slug like ${`${slug}-%`}`]))
    .execute()
  return rows.map((row) => row.slug)
}

/** Changes a live server. */
export async function update(
  db: Db,
  scope: Scope,
  id: string,
  changes: Updateable<ServerTable>,
): Promise<ServerRow | undefined> {
  return db
    .updateTable('servers')
    .set(changes)
    .where('servers.id', '=', id)
    .where('deleted_at', 'is', null)
    .where(ownServers(scope))
    .returningAll()
    .executeTakeFirst()
}

/** Leaves a tombstone; the server leaves every group, every token's set and its configuration. */
export async function remove(db: Db, scope: Scope, id: string, now: string): Promise<ServerRow | undefined> {
  const row = await update(db, scope, id, tombstone(now))
  if (row !== undefined) await leaveReach(db, [id])
  return row
}

/** As `remove`, of all servers of a configuration; answers their ids. */
export async function removeOf(db: Db, configId: string, now: string): Promise<string[]> {
  const rows = await db
    .updateTable('servers')
    .set(tombstone(now))
    .where('config_id', '=', configId)
    .where('deleted_at', 'is', null)
    .returning('id')
    .execute()
  const ids = rows.map(({ id }) => id).sort()
  await leaveReach(db, ids)
  return ids
}

function tombstone(now: string) {
  return { deleted_at: now, updated_at: now, config_id: null, env: null, headers: null }
}

async function leaveReach(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await db.deleteFrom('token_servers').where('server_id', 'in', ids).execute()
  await db.deleteFrom('group_servers').where('server_id', 'in', ids).execute()
}

function filtered(db: Db, scope: Scope, { text, group_id, group_ids, deleted, none }: ServerFilter) {
  let query = db.selectFrom('servers').where(ownServers(scope))
  if (deleted !== undefined) query = query.where('deleted_at', deleted ? 'is not' : 'is', null)
  if (none === true) query = query.where(sql.lit(false))
  const groups = group_id === undefined ? group_ids : [group_id]
  if (groups !== undefined) {
    query = query.where('servers.id', 'in', (is) =>
      is.selectFrom('group_servers').select('server_id').where('group_id', 'in', groups),
    )
  }
  if (text !== undefined)
    query = query.where(textIn(text, ['servers.name', 'servers.slug', 'servers.description']))
  return query
}

export async function list(db: Db, scope: Scope, filter: ServerFilter, page: Page): Promise<ServerRow[]> {
  return rowsOf(filtered(db, scope, filter).selectAll('servers'), 'servers.id', page)
}

/** True if the server is one of those the filter lets through. */
export async function matches(db: Db, scope: Scope, filter: ServerFilter, id: string): Promise<boolean> {
  const found = await filtered(db, scope, filter)
    .select('servers.id')
    .where('servers.id', '=', id)
    .executeTakeFirst()
  return found !== undefined
}

/** How many servers match; beyond 1,000 null, unless `exact` asks for the whole count. */
export async function count(
  db: Db,
  scope: Scope,
  filter: ServerFilter,
  exact: boolean,
): Promise<number | null> {
  return countOf(db, filtered(db, scope, filter).select('servers.id'), exact)
}
