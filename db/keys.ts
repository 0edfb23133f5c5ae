import type { Db } from './open.ts'
import type { TokenRow } from './schema.ts'
import type { Page } from './page.ts'

const management = (db: Db) => db.selectFrom('tokens').selectAll().where('kind', '=', 'management')

/** The management key with this id, revoked ones included. */
export async function find(db: Db, id: string): Promise<TokenRow | undefined> {
  return management(db).where('id', '=', id).executeTakeFirst()
}

/** The bootstrap key that the environment named, if there is one that lives. */
export async function findFromEnv(db: Db): Promise<TokenRow | undefined> {
  return management(db).where('source', '=', 'env').where('revoked_at', 'is', null).executeTakeFirst()
}

/** Admin keys of the instance that could be used now. */
export async function countUsableAdmins(db: Db, now: string): Promise<number> {
  const { n } = await db
    .selectFrom('tokens')
    .select((is) => is.fn.countAll<number>().as('n'))
    .where('kind', '=', 'management')
    .where('role', '=', 'admin')
    .where('project_id', 'is', null)
    .where('revoked_at', 'is', null)
    .where('enabled', '=', 1)
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', now)]))
    .executeTakeFirstOrThrow()
  return n
}

/** True if the instance ever had an admin key. */
export async function anyAdmin(db: Db): Promise<boolean> {
  return (await management(db).where('role', '=', 'admin').limit(1).executeTakeFirst()) !== undefined
}

export async function list(db: Db, page: Page): Promise<TokenRow[]> {
  let query = management(db).orderBy('id', page.order).limit(page.limit)
  if (page.after !== undefined) query = query.where('id', page.order === 'asc' ? '>' : '<', page.after)
  return query.execute()
}

/** Revokes a living key and answers its row. */
export async function revoke(db: Db, id: string, now: string): Promise<TokenRow | undefined> {
  return db
    .updateTable('tokens')
    .set({ revoked_at: now, updated_at: now })
    .where('id', '=', id)
    .where('kind', '=', 'management')
    .where('revoked_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
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
