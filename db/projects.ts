import type { Expression, ExpressionBuilder, Insertable, SqlBool, Updateable } from 'kysely'
import type { Db } from './open.ts'
import { countOf, type Page, rowsOf, textIn } from './page.ts'
import type { EnvironmentRow, EnvironmentTable, ProjectRow, ProjectTable, Schema } from './schema.ts'
import { ownProjects, type Scope } from './scope.ts'

export interface ProjectFilter {
  /** Substring of name or description, letter case ignored. */
  text?: string | undefined
  user_id?: string | undefined
  /** Substring of the name, or of the e-mail of a member. */
  search?: string | undefined
}

export async function insert(db: Db, row: Insertable<ProjectTable>): Promise<ProjectRow> {
  return db.insertInto('projects').values(row).returningAll().executeTakeFirstOrThrow()
}

/** The project with this id in scope; a deleted one is none. */
export async function findLive(db: Db, scope: Scope, id: string): Promise<ProjectRow | undefined> {
  return db
    .selectFrom('projects')
    .selectAll()
    .where('projects.id', '=', id)
    .where('deleted_at', 'is', null)
    .where(ownProjects(scope))
    .executeTakeFirst()
}

/** The live project of that name; names are unique among live projects. */
export async function findNamed(db: Db, scope: Scope, name: string): Promise<ProjectRow | undefined> {
  return db
    .selectFrom('projects')
    .selectAll()
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .where(ownProjects(scope))
    .executeTakeFirst()
}

/** Changes a live project. */
export async function update(
  db: Db,
  scope: Scope,
  id: string,
  changes: Updateable<ProjectTable>,
): Promise<ProjectRow | undefined> {
  return db
    .updateTable('projects')
    .set(changes)
    .where('projects.id', '=', id)
    .where('deleted_at', 'is', null)
    .where(ownProjects(scope))
    .returningAll()
    .executeTakeFirst()
}

/** Leaves a tombstone; memberships and environments end, users and the configuration stay. */
export async function remove(db: Db, scope: Scope, id: string, now: string): Promise<ProjectRow | undefined> {
  const row = await update(db, scope, id, { deleted_at: now, updated_at: now, config_id: null })
  if (row === undefined) return undefined
  await db.deleteFrom('project_members').where('project_id', '=', id).execute()
  await db.deleteFrom('environments').where('project_id', '=', id).execute()
  return row
}

/** The policy of a live project, as JSON; null = it has none. */
export async function findPolicy(db: Db, id: string): Promise<string | null> {
  const row = await db
    .selectFrom('projects')
    .select('policy')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row?.policy ?? null
}

export async function isMember(db: Db, projectId: string, userId: string): Promise<boolean> {
  const found = await db
    .selectFrom('project_members')
    .select('user_id')
    .where('project_id', '=', projectId)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return found !== undefined
}

/** Makes the user a member; false if they were one. */
export async function addMember(db: Db, projectId: string, userId: string, now: string): Promise<boolean> {
  const added = await db
    .insertInto('project_members')
    .values({ project_id: projectId, user_id: userId, created_at: now })
    .onConflict((same) => same.doNothing())
    .executeTakeFirst()
  return (added.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Ends the membership; false if there was none. */
export async function removeMember(db: Db, projectId: string, userId: string): Promise<boolean> {
  const removed = await db
    .deleteFrom('project_members')
    .where('project_id', '=', projectId)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return removed.numDeletedRows > 0n
}

/** The names of these projects, deleted ones too. */
export async function namesOf(db: Db, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('projects').select(['id', 'name']).where('id', 'in', ids).execute()
  return new Map(rows.map(({ id, name }) => [id, name]))
}

/** How many members each project has that the scope may know of; a project without any is not in it. */
export async function memberCounts(
  db: Db,
  scope: Scope,
  ids: readonly string[],
): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('project_members')
    .select((is) => ['project_id', is.fn.countAll<number>().as('n')])
    .where('project_id', 'in', ids)
    .where(knownMembers(scope))
    .groupBy('project_id')
    .execute()
  return new Map(rows.map((row) => [row.project_id, row.n]))
}

/** A user key knows its own user among the members, and nobody else (enkrypt:userkey:own:read). */
function knownMembers({ owner_id }: Scope) {
  return (is: ExpressionBuilder<Schema, 'project_members'>): Expression<SqlBool> =>
    owner_id === undefined ? is.and([]) : is('project_members.user_id', '=', owner_id)
}

/** Ends all memberships; answers how many there were. */
export async function removeMembers(db: Db, projectId: string): Promise<number> {
  const removed = await db
    .deleteFrom('project_members')
    .where('project_id', '=', projectId)
    .executeTakeFirst()
  return Number(removed.numDeletedRows)
}

/** The members of each project that the scope may know of, oldest membership first. */
export async function membersOf(db: Db, scope: Scope, ids: readonly string[]) {
  if (ids.length === 0) return []
  return db
    .selectFrom('project_members')
    .innerJoin('users', 'users.id', 'project_members.user_id')
    .select([
      'project_members.project_id',
      'users.id',
      'users.email',
      'users.name',
      'project_members.created_at',
    ])
    .where('project_members.project_id', 'in', ids)
    .where(knownMembers(scope))
    .orderBy('project_members.created_at')
    .orderBy('users.id')
    .execute()
}

export async function environmentsOf(db: Db, ids: readonly string[]): Promise<EnvironmentRow[]> {
  if (ids.length === 0) return []
  return db.selectFrom('environments').selectAll().where('project_id', 'in', ids).orderBy('id').execute()
}

/** Creates the environment of that name or changes it. */
export async function putEnvironment(db: Db, row: Insertable<EnvironmentTable>): Promise<EnvironmentRow> {
  const { description, variables, is_default, updated_at } = row
  if (is_default === 1) {
    await db
      .updateTable('environments')
      .set({ is_default: 0 })
      .where('project_id', '=', row.project_id)
      .execute()
  }
  return db
    .insertInto('environments')
    .values(row)
    .onConflict((same) =>
      same
        .columns(['project_id', 'name'])
        .doUpdateSet({ description: description ?? null, variables, is_default, updated_at }),
    )
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Removes an environment; false if there was none. */
export async function removeEnvironment(db: Db, projectId: string, name: string): Promise<boolean> {
  const removed = await db
    .deleteFrom('environments')
    .where('project_id', '=', projectId)
    .where('name', '=', name)
    .executeTakeFirst()
  return removed.numDeletedRows > 0n
}

function filtered(db: Db, scope: Scope, { text, user_id, search }: ProjectFilter) {
  let query = db.selectFrom('projects').where('deleted_at', 'is', null).where(ownProjects(scope))
  if (text !== undefined) query = query.where(textIn(text, ['projects.name', 'projects.description']))
  if (search !== undefined) {
    query = query.where((is) =>
      is.or([
        textIn(search, ['projects.name']),
        is.exists(
          is
            .selectFrom('project_members')
            .innerJoin('users', 'users.id', 'project_members.user_id')
            .select('users.id')
            .whereRef('project_members.project_id', '=', 'projects.id')
            .where(knownMembers(scope))
            .where(textIn(search, ['users.email'])),
        ),
      ]),
    )
  }
  if (user_id !== undefined) {
    query = query.where('projects.id', 'in', (is) =>
      is.selectFrom('project_members').select('project_id').where('user_id', '=', user_id),
    )
  }
  return query
}

export async function list(db: Db, scope: Scope, filter: ProjectFilter, page: Page): Promise<ProjectRow[]> {
  return rowsOf(filtered(db, scope, filter).selectAll('projects'), 'projects.id', page)
}

/** How many projects match; beyond 1,000 null, unless `exact` asks for the whole count. */
export async function count(
  db: Db,
  scope: Scope,
  filter: ProjectFilter,
  exact: boolean,
): Promise<number | null> {
  return countOf(db, filtered(db, scope, filter).select('projects.id'), exact)
}
