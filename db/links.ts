import type { Insertable, Selectable } from 'kysely'
import type { Db } from './open.ts'
import type { Schema } from './schema.ts'

export type LinkRow = Selectable<Schema['links']>

export async function insert(db: Db, row: Insertable<Schema['links']>): Promise<void> {
  await db.insertInto('links').values(row).execute()
}

export async function findByCode(db: Db, codeHash: Buffer): Promise<LinkRow | undefined> {
  return db.selectFrom('links').selectAll().where('code_hash', '=', codeHash).executeTakeFirst()
}

/** Burns a link; false if it was burnt already. */
export async function redeem(db: Db, id: string, now: string): Promise<boolean> {
  const done = await db
    .updateTable('links')
    .set({ redeemed_at: now, sealed: null })
    .where('id', '=', id)
    .where('redeemed_at', 'is', null)
    .returning('id')
    .executeTakeFirst()
  return done !== undefined
}

/** Ends the open links of tokens: their secrets have been replaced or revoked. */
export async function endOf(db: Db, tokenIds: readonly string[]): Promise<void> {
  for (let at = 0; at < tokenIds.length; at += 500) {
    const some = tokenIds.slice(at, at + 500)
    await db.updateTable('links').set({ sealed: null }).where('token_id', 'in', some).execute()
  }
}

/** Deletes the ciphertext of links whose time is over (security R7). */
export async function sweep(db: Db, now: string): Promise<void> {
  await db
    .updateTable('links')
    .set({ sealed: null })
    .where('sealed', 'is not', null)
    .where('expires_at', '<=', now)
    .execute()
}
