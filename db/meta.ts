import type { Db } from './open.ts'

/** A fact about the store itself, such as the fingerprint of its master key. */
export async function get(db: Db, name: string): Promise<string | undefined> {
  return (await db.selectFrom('meta').select('value').where('name', '=', name).executeTakeFirst())?.value
}

/** Stores it unless there is one; answers the one that stands. */
export async function setOnce(db: Db, name: string, value: string): Promise<string> {
  await db
    .insertInto('meta')
    .values({ name, value })
    .onConflict((same) => same.doNothing())
    .execute()
  return (await get(db, name)) ?? value
}
