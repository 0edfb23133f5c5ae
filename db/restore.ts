import { sql } from 'kysely'
import { type BackupTable, backupTableNames, columnsOf, formOf } from '../src/domain/backup-tables.ts'
import type { Row } from './backup.ts'
import type { Db } from './open.ts'

/** What goes with a kept token. */
const ofTokens: readonly BackupTable[] = ['tokens', 'token_uses']

const deletedAtOnce = 1_000
/** SQLite takes 32,766 values in one statement, PostgreSQL 65,535. */
const valuesAtOnce = 6_000

/** Lets others have their turn, however much there is to do. */
const breathe = () => new Promise((resolve) => setImmediate(resolve))

/**
 * Empties the tables of a backup but for the tokens that are kept; open links and kept answers end (security R57). What
 * was counted against limits stays, as revocations do: no restore gives uses back.
 */
export async function clear(db: Db, keptTokens: readonly string[]): Promise<void> {
  await db.deleteFrom('links').execute()
  await db.deleteFrom('idempotency').execute()
  for (const table of backupTableNames.toReversed()) {
    if (table !== 'token_limits') await empty(db, table, ofTokens.includes(table) ? keptTokens : [])
  }
}

/** By ranges of the key, as one statement over a large table could take longer than the store allows. */
async function empty(db: Db, table: BackupTable, kept: readonly string[]): Promise<void> {
  const key = sql.ref(formOf(table).key[0] ?? '')
  const from = sql.table(table)
  const others = kept.length === 0 ? sql`` : sql`and ${key} not in (${sql.join(kept)})`
  let last = ''
  for (;;) {
    const { rows } = await sql<{ last: string }>`select ${key} as last from ${from} where ${key} > ${last}
      order by ${key} limit 1 offset ${deletedAtOnce - 1}`.execute(db)
    const [end] = rows
    if (end === undefined) break
    await sql`delete from ${from} where ${key} <= ${end.last} ${others}`.execute(db)
    last = end.last
    await breathe()
  }
  await sql`delete from ${from} where ${key} > ${last} ${others}`.execute(db)
}

/** Puts rows into a table, as many in one statement as every store takes. */
export async function insert(db: Db, table: BackupTable, rows: readonly Row[]): Promise<void> {
  const chunk = Math.floor(valuesAtOnce / columnsOf(table).length)
  for (let at = 0; at < rows.length; at += chunk) {
    await db
      .insertInto(table)
      .values(rows.slice(at, at + chunk) as never)
      .execute()
    await breathe()
  }
}
