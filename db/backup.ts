import { sql } from 'kysely'
import {
  type BackupTable,
  backupTableNames,
  backupTables,
  type ColumnKind,
  columnsOf,
  formOf,
} from '../src/domain/backup-tables.ts'
import type { Db } from './open.ts'
import type { Schema } from './schema.ts'

/** Every column of these tables is in a backup: one that is forgotten does not compile. */
const forms: { [T in BackupTable]: { columns: { [C in keyof Schema[T]]: ColumnKind } } } = backupTables

type Cell = string | number | null
export type Row = Record<string, Cell | Buffer>

const pageSize = 200

/** All rows of a table by its key, in pages small enough that others get their turn between two (security R56). */
export async function* pages(db: Db, table: BackupTable): AsyncGenerator<Cell[][]> {
  const columns = columnsOf(table)
  const key = formOf(table).key.map((name) => sql.ref(name))
  let last: (Cell | Buffer)[] | undefined
  for (;;) {
    const behind = last === undefined ? sql`` : sql`where (${sql.join(key)}) > (${sql.join(last)})`
    const { rows } = await sql<Row>`select ${sql.join(columns.map((name) => sql.ref(name)))}
      from ${sql.table(table)} ${behind} order by ${sql.join(key)} limit ${pageSize}`.execute(db)
    yield rows.map((row) => columns.map((name) => cellOf(row[name])))
    const end = rows.at(-1)
    if (rows.length < pageSize || end === undefined) return
    last = formOf(table).key.map((name) => end[name] ?? null)
  }
}

/** How many rows each table has. */
export async function counts(db: Db): Promise<Record<BackupTable, number>> {
  const counted: [BackupTable, number][] = []
  for (const table of backupTableNames) {
    const { n } = await db
      .selectFrom(table)
      .select((is) => is.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow()
    counted.push([table, n])
  }
  return Object.fromEntries(counted) as Record<BackupTable, number>
}

function cellOf(value: Cell | Buffer | undefined): Cell {
  return Buffer.isBuffer(value) ? value.toString('base64') : (value ?? null)
}

/** A row as the store takes it. */
export function rowOf(table: BackupTable, cells: readonly Cell[]): Row {
  const kinds: Record<string, ColumnKind> = forms[table].columns
  const entries = Object.entries(kinds).map(([name, kind], at) => {
    const cell = cells[at] ?? null
    const binary = typeof cell === 'string' && /^(bytes|digest)/.test(kind)
    return [name, binary ? Buffer.from(cell, 'base64') : cell]
  })
  return Object.fromEntries(entries)
}
