import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { type BackupTable, backupTableNames, type ColumnKind, columnsOf, formOf } from './backup-tables.ts'
import { canonicalJson } from './canonical.ts'

/** A value of a column as it stands in a backup. */
export type Cell = string | number | null

export type TableDump = {
  columns: string[]
  /** A row is its values in the order of `columns`. */
  rows: Cell[][]
}

/** Everything of an instance that can be brought back; the same form on every store. */
export type Backup = {
  backup_version: 1
  /** ISO 8601 UTC. */
  created_at: string
  /** Fingerprint of the master key its digests were made with. */
  master: string
  /** The end of the trail at that moment. */
  audit_head: { seq: number; row_hmac: string }
  tables: Record<BackupTable, TableDump>
  /** HMAC-SHA-256 over all of it, hex. */
  checksum: string
}

export type BackupHead = Omit<Backup, 'tables' | 'checksum'>

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`))
/** The rows are looked at one by one, with pauses. */
const rows = z.custom<unknown[]>((value) => Array.isArray(value))
const dump = z.strictObject({ columns: z.array(z.string()), rows })

/** The outer form of a backup; what its rows hold is looked at one by one. */
export const backupForm = z.strictObject({
  backup_version: z.literal(1),
  created_at: z.iso.datetime(),
  master: hex(32),
  audit_head: z.strictObject({ seq: z.int().min(0), row_hmac: hex(64) }),
  tables: z.strictObject(
    Object.fromEntries(
      backupTableNames.map((name) => [name, formOf(name).addition === true ? dump.optional() : dump]),
    ),
  ),
  checksum: hex(64),
})

/**
 * The keyed checksum of a backup, taken line by line: its head, then the columns and the rows of each table in their
 * order. A line is canonical JSON, which holds no line break, so that no two backups give the same lines.
 */
export function startChecksum(key: Buffer, { backup_version, created_at, master, audit_head }: BackupHead) {
  const mac = createHmac('sha256', key)
  const line = (value: unknown) => void mac.update(`${canonicalJson(value)}\n`)
  line({ backup_version, created_at, master, audit_head })
  return {
    table: (table: BackupTable, columns: readonly string[]) => line({ table, columns }),
    row: (cells: unknown) => line(cells),
    end: () => mac.digest('hex'),
  }
}

/** Why a row cannot be one of this table; undefined when it can. */
export function rowProblem(table: BackupTable, cells: unknown): string | undefined {
  const columns = columnsOf(table)
  if (!Array.isArray(cells) || cells.length !== columns.length)
    return `a row of ${table} has not ${columns.length} values`
  const { columns: kinds } = formOf(table)
  const wrong = columns.find((name, at) => !fits(kinds[name], cells[at]))
  return wrong === undefined ? undefined : `a value of ${table}.${wrong} is of another type`
}

function fits(kind: ColumnKind | undefined, cell: unknown): boolean {
  switch (kind) {
    case 'text':
      return typeof cell === 'string'
    case 'int':
      return Number.isSafeInteger(cell)
    case 'bit':
      return cell === 0 || cell === 1
    case 'bytes':
      return typeof cell === 'string' && Buffer.from(cell, 'base64').toString('base64') === cell
    case 'digest':
      return fits('bytes', cell) && Buffer.from(String(cell), 'base64').length === 32
    case undefined:
      return false
    default:
      return cell === null || fits(kind.slice(0, -1) as ColumnKind, cell)
  }
}
