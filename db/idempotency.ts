import type { Insertable, Selectable } from 'kysely'
import type { Db } from './open.ts'
import type { Schema } from './schema.ts'

export type KeptAnswer = Selectable<Schema['idempotency']>

export async function find(db: Db, keyHash: Buffer): Promise<KeptAnswer | undefined> {
  return db.selectFrom('idempotency').selectAll().where('key_hash', '=', keyHash).executeTakeFirst()
}

export async function insert(db: Db, row: Insertable<Schema['idempotency']>): Promise<void> {
  await db.insertInto('idempotency').values(row).execute()
}

/** Deletes answers made before `answers` and whole records made before `records` (security R47). */
export async function sweep(db: Db, answers: string, records: string): Promise<void> {
  await db
    .updateTable('idempotency')
    .set({ sealed: null })
    .where('sealed', 'is not', null)
    .where('created_at', '<=', answers)
    .execute()
  await db.deleteFrom('idempotency').where('created_at', '<=', records).execute()
}
