import type { Insertable, Updateable } from 'kysely'
import type { Db } from './open.ts'
import { countOf, type Page, textIn } from './page.ts'
import type { ConfigRow, ConfigTable } from './schema.ts'
import { ownConfigs, ownProjects, type Scope } from './scope.ts'

export interface ConfigFilter {
  /** Substring of its name or of a server's, letter case ignored; '' finds all. */
  text?: string | undefined
}

export async function insert(db: Db, row: Insertable<ConfigTable>): Promise<ConfigRow> {
  return db.insertInto('configs').values(row).returningAll().executeTakeFirstOrThrow()
}

export async function find(db: Db, scope: Scope, id: string): Promise<ConfigRow | undefined> {
  return db
    .selectFrom('configs')
    .selectAll()
    .where('configs.id', '=', id)
    .where(ownConfigs(scope))
    .executeTakeFirst()
}

/** The configuration of that name; names are unique, letter case counts. */
export async function findNamed(db: Db, scope: Scope, name: string): Promise<ConfigRow | undefined> {
  return db
    .selectFrom('configs')
    .selectAll()
    .where('name', '=', name)
    .where(ownConfigs(scope))
    .executeTakeFirst()
}

/** The configuration that is assigned to a live project. */
export async function findOfProject(db: Db, scope: Scope, projectId: string): Promise<ConfigRow | undefined> {
  return db
    .selectFrom('configs')
    .innerJoin('projects', 'projects.config_id', 'configs.id')
    .selectAll('configs')
    .where('projects.id', '=', projectId)
    .where('projects.deleted_at', 'is', null)
    .where(ownProjects(scope))
    .executeTakeFirst()
}

/** The names of these configurations. */
export async function namesOf(db: Db, ids: readonly string[]): Promise<Map<string | null, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('configs').select(['id', 'name']).where('id', 'in', ids).execute()
  return new Map(rows.map(({ id, name }) => [id, name]))
}

export async function update(
  db: Db,
  id: string,
  changes: Updateable<ConfigTable>,
): Promise<ConfigRow | undefined> {
  return db.updateTable('configs').set(changes).where('id', '=', id).returningAll().executeTakeFirst()
}

/** Removes the row; its servers and projects must have left it before. */
export async function remove(db: Db, id: string): Promise<void> {
  await db.deleteFrom('configs').where('id', '=', id).execute()
}

/** How many live servers each configuration has; one without any is not in it. */
export async function serverCounts(db: Db, ids: readonly string[]): Promise<Map<string | null, number>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('servers')
    .select((is) => ['config_id', is.fn.countAll<number>().as('n')])
    .where('config_id', 'in', ids)
    .where('deleted_at', 'is', null)
    .groupBy('config_id')
    .execute()
  return new Map(rows.map((row) => [row.config_id, row.n]))
}

/** The live projects in scope that each configuration is assigned to, oldest first. */
export async function projectsOf(db: Db, scope: Scope, ids: readonly string[]) {
  if (ids.length === 0) return []
  return db
    .selectFrom('projects')
    .select(['projects.config_id', 'projects.id', 'projects.name'])
    .where('projects.config_id', 'in', ids)
    .where('deleted_at', 'is', null)
    .where(ownProjects(scope))
    .orderBy('projects.id')
    .execute()
}

function filtered(db: Db, scope: Scope, { text }: ConfigFilter) {
  const query = db.selectFrom('configs').where(ownConfigs(scope))
  if (text === undefined) return query
  return query.where((is) =>
    is.or([
      textIn(text, ['configs.name']),
      is.exists(
        is
          .selectFrom('servers')
          .select('servers.id')
          .whereRef('servers.config_id', '=', 'configs.id')
          .where('servers.deleted_at', 'is', null)
          .where(textIn(text, ['servers.name'])),
      ),
    ]),
  )
}

export async function list(db: Db, scope: Scope, filter: ConfigFilter, page: Page): Promise<ConfigRow[]> {
  let query = filtered(db, scope, filter)
    .selectAll('configs')
    .orderBy('configs.id', page.order)
    .limit(page.limit)
  if (page.after !== undefined)
    query = query.where('configs.id', page.order === 'asc' ? '>' : '<', page.after)
  return query.execute()
}

/** How many configurations match; beyond 1,000 null, unless `exact` asks for the whole count. */
export async function count(
  db: Db,
  scope: Scope,
  filter: ConfigFilter,
  exact: boolean,
): Promise<number | null> {
  return countOf(db, filtered(db, scope, filter).select('configs.id'), exact)
}
