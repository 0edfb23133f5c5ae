import type { Expression, ExpressionBuilder, Insertable, SqlBool, Updateable } from 'kysely'
import type { Db } from './open.ts'
import { countOf, type Page, rowsOf, textIn } from './page.ts'
import type { Schema, UserRow, UserTable } from './schema.ts'
import { ownProjects, type Scope } from './scope.ts'

export interface UserFilter {
  /** Substring of e-mail or name, letter case ignored. */
  text?: string | undefined
  project_id?: string | undefined
  enabled?: boolean | undefined
  /** Substring of the e-mail, or of the name of a project the user is a member of. */
  search?: string | undefined
}

export async function insert(db: Db, row: Insertable<UserTable>): Promise<UserRow> {
  return db.insertInto('users').values(row).returningAll().executeTakeFirstOrThrow()
}

/** The user with this id in scope; a deleted one is none. */
export async function findLive(db: Db, scope: Scope, id: string): Promise<UserRow | undefined> {
  return db
    .selectFrom('users')
    .selectAll()
    .where('users.id', '=', id)
    .where('deleted_at', 'is', null)
    .where(ownUsers(scope))
    .executeTakeFirst()
}

/** The user in scope with this e-mail, which is stored in lower case. */
export async function findByEmail(db: Db, scope: Scope, email: string): Promise<UserRow | undefined> {
  return db
    .selectFrom('users')
    .selectAll()
    .where('email', '=', email)
    .where('deleted_at', 'is', null)
    .where(ownUsers(scope))
    .executeTakeFirst()
}

/** The e-mails of these users, deleted ones too. */
export async function emailsOf(db: Db, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('users').select(['id', 'email']).where('id', 'in', ids).execute()
  return new Map(rows.map(({ id, email }) => [id, email]))
}

/** Changes a user who is not deleted. */
export async function update(
  db: Db,
  id: string,
  changes: Updateable<UserTable>,
): Promise<UserRow | undefined> {
  return db
    .updateTable('users')
    .set(changes)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
}

/** Leaves a tombstone without a password; memberships end. */
export async function remove(db: Db, id: string, now: string): Promise<UserRow | undefined> {
  await db.deleteFrom('project_members').where('user_id', '=', id).execute()
  return update(db, id, { deleted_at: now, updated_at: now, enabled: 0, password_hash: null })
}

/** The live projects in scope that each user is a member of. */
export async function projectsOf(db: Db, scope: Scope, ids: readonly string[]) {
  if (ids.length === 0) return []
  return db
    .selectFrom('project_members')
    .innerJoin('projects', 'projects.id', 'project_members.project_id')
    .select(['project_members.user_id', 'projects.id', 'projects.name', 'projects.created_at'])
    .where('project_members.user_id', 'in', ids)
    .where('projects.deleted_at', 'is', null)
    .where(ownProjects(scope))
    .orderBy('projects.id')
    .execute()
}

function filtered(db: Db, scope: Scope, { text, project_id, enabled, search }: UserFilter) {
  let query = db.selectFrom('users').where('deleted_at', 'is', null).where(ownUsers(scope))
  if (enabled !== undefined) query = query.where('enabled', '=', enabled ? 1 : 0)
  if (text !== undefined) query = query.where(textIn(text, ['users.email', 'users.name']))
  if (search !== undefined) {
    query = query.where((is) =>
      is.or([textIn(search, ['users.email']), is.exists(namedProjects(is, scope, search))]),
    )
  }
  if (project_id !== undefined) {
    query = query.where('users.id', 'in', (is) =>
      is.selectFrom('project_members').select('user_id').where('project_id', '=', project_id),
    )
  }
  return query
}

/** The live projects in scope, of the user of the row, whose name holds the text. */
function namedProjects(is: ExpressionBuilder<Schema, 'users'>, scope: Scope, search: string) {
  return is
    .selectFrom('project_members')
    .innerJoin('projects', 'projects.id', 'project_members.project_id')
    .select('projects.id')
    .whereRef('project_members.user_id', '=', 'users.id')
    .where('projects.deleted_at', 'is', null)
    .where(ownProjects(scope))
    .where(textIn(search, ['projects.name']))
}

export async function list(db: Db, scope: Scope, filter: UserFilter, page: Page): Promise<UserRow[]> {
  return rowsOf(filtered(db, scope, filter).selectAll('users'), 'users.id', page)
}

/** How many users match; beyond 1,000 null, unless `exact` asks for the whole count. */
export async function count(
  db: Db,
  scope: Scope,
  filter: UserFilter,
  exact: boolean,
): Promise<number | null> {
  return countOf(db, filtered(db, scope, filter).select('users.id'), exact)
}

/** Rows of `users` in scope: a credential bound to a project knows the members of that project, a token nobody. */
function ownUsers(scope: Scope) {
  return (is: ExpressionBuilder<Schema, 'users'>): Expression<SqlBool> => {
    if (scope.token_id !== undefined) return is.lit(false)
    const { project_id } = scope
    if (project_id === undefined) return is.and([])
    return is.exists(
      is
        .selectFrom('project_members')
        .select('user_id')
        .where('project_id', '=', project_id)
        .whereRef('user_id', '=', 'users.id'),
    )
  }
}
