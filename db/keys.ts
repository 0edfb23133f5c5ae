import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { Db } from './open.ts'
import type { Page } from './page.ts'
import type { Schema, TokenRow } from './schema.ts'
import type { Scope } from './scope.ts'
import { end } from './tokens.ts'

const management = (db: Db) => db.selectFrom('tokens').selectAll().where('kind', '=', 'management')

/** The management key with this id, revoked ones included. */
export async function find(db: Db, scope: Scope, id: string): Promise<TokenRow | undefined> {
  return management(db).where('id', '=', id).where(ownKeys(scope)).executeTakeFirst()
}

/** The bootstrap key that the environment named, if there is one that lives. */
export async function findFromEnv(db: Db): Promise<TokenRow | undefined> {
  return management(db).where('source', '=', 'env').where('revoked_at', 'is', null).executeTakeFirst()
}

/** True if the digest stands for a secret of any token or key, or for one that was ended. */
export async function isTaken(db: Db, digest: Buffer): Promise<boolean> {
  const holder = await db
    .selectFrom('tokens')
    .select('id')
    .where((is) => is.or([is('secret_hash', '=', digest), is('previous_hash', '=', digest)]))
    .executeTakeFirst()
  if (holder !== undefined) return true
  const ended = await db
    .selectFrom('revocations')
    .select('token_id')
    .where('token_hash', '=', digest)
    .executeTakeFirst()
  return ended !== undefined
}

/** The ids of up to two admin keys of the instance that could be used now. */
export async function usableAdmins(db: Db, now: string): Promise<string[]> {
  return (await usable(db, now).limit(2).execute()).map((row) => row.id)
}

/** All admin keys of the instance that could be used now. */
export async function allUsableAdmins(db: Db, now: string): Promise<TokenRow[]> {
  return usable(db, now).execute()
}

function usable(db: Db, now: string) {
  return management(db)
    .where('role', '=', 'admin')
    .where('project_id', 'is', null)
    .where('revoked_at', 'is', null)
    .where('enabled', '=', 1)
    .where((is) => is.or([is('not_before', 'is', null), is('not_before', '<=', now)]))
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', now)]))
}

/** True if the instance ever had an admin key. */
export async function anyAdmin(db: Db): Promise<boolean> {
  return (await management(db).where('role', '=', 'admin').limit(1).executeTakeFirst()) !== undefined
}

/** One page of keys in id order. */
export async function list(
  db: Db,
  scope: Scope,
  filter: { include_revoked: boolean },
  page: Page,
): Promise<TokenRow[]> {
  let query = management(db).where(ownKeys(scope)).orderBy('id', page.order).limit(page.limit)
  if (!filter.include_revoked) query = query.where('revoked_at', 'is', null)
  if (page.after !== undefined) query = query.where('id', page.order === 'asc' ? '>' : '<', page.after)
  return query.execute()
}

/** Revokes living keys, remembers their digests, and answers the rows: one key, or all that are bound to a project. */
export async function revoke(
  db: Db,
  scope: Scope,
  which: { id: string } | { project_id: string },
  now: string,
): Promise<TokenRow[]> {
  const query = db
    .updateTable('tokens')
    .set({ revoked_at: now, updated_at: now })
    .where('kind', '=', 'management')
    .where('revoked_at', 'is', null)
    .where(ownKeys(scope))
  const rows = await ('id' in which
    ? query.where('id', '=', which.id)
    : query.where('project_id', '=', which.project_id)
  )
    .returningAll()
    .execute()
  for (const row of rows) await end(db, row.id, [row.secret_hash], now)
  return rows
}

/** Gives the environment's key a new secret. */
export async function replaceSecret(
  db: Db,
  id: string,
  columns: Pick<TokenRow, 'secret_hash' | 'pepper_id' | 'prefix' | 'last4'>,
  generation: number,
  now: string,
): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ ...columns, generation, secret_used_at: null, rotated_at: now, updated_at: now })
    .where('id', '=', id)
    .execute()
}

/** Management keys in scope: a key bound to a project knows the keys of that project, a token knows none. */
export function ownKeys(scope: Scope) {
  return (is: ExpressionBuilder<Schema, 'tokens'>): Expression<SqlBool> => {
    if (scope.token_id !== undefined || scope.owner_id !== undefined) return is.lit(false)
    return scope.project_id === undefined ? is.and([]) : is('tokens.project_id', '=', scope.project_id)
  }
}
