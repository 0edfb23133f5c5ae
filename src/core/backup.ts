import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import * as audit from '../../db/audit.ts'
import { counts, pages } from '../../db/backup.ts'
import * as meta from '../../db/meta.ts'
import type { Db } from '../../db/open.ts'
import { type Backup, type BackupHead, startChecksum, type TableDump } from '../domain/backup.ts'
import { type BackupTable, backupTableNames, columnsOf } from '../domain/backup-tables.ts'
import { checkBackup } from './backup-check.ts'
import type { Context, Host } from './context.ts'
import { exportDigest, writeExport } from './exports.ts'
import { masterFact } from './master-key.ts'

/** How many rows of a backup are worked on before others get their turn. */
const rowsAtOnce = 200

/** A backup of the store as it is at one moment, proven by reading it again (security R56). */
export async function makeBackup(ctx: Context): Promise<Backup> {
  const { backup, counted } = await ctx.snapshot(async (db) => ({
    backup: await read(db, ctx),
    counted: await counts(db),
  }))
  await checkBackup(ctx, backup, backup.master)
  const short = backupTableNames.find((name) => backup.tables[name].rows.length !== counted[name])
  if (short !== undefined) throw new Error(`the backup has not all rows of ${short}`)
  return backup
}

async function read(db: Db, { now, keys }: Context): Promise<Backup> {
  const { seq, row_hmac } = await audit.head(db)
  const head: BackupHead = {
    backup_version: 1,
    created_at: now,
    master: (await meta.get(db, masterFact)) ?? '',
    audit_head: { seq, row_hmac: row_hmac.toString('hex') },
  }
  const sum = startChecksum(keys.backup, head)
  const dumps: [BackupTable, TableDump][] = []
  for (const name of backupTableNames) {
    const dump: TableDump = { columns: columnsOf(name), rows: [] }
    sum.table(name, dump.columns)
    for await (const page of pages(db, name)) {
      for (const row of page) sum.row(row)
      dump.rows.push(...page)
      await turn()
    }
    dumps.push([name, dump])
  }
  const tables = Object.fromEntries(dumps) as Record<BackupTable, TableDump>
  return { ...head, tables, checksum: sum.end() }
}

/** Writes a backup into `exports/` and proves that it is what was meant. */
export async function writeBackup(host: Host, name: string, backup: Backup): Promise<void> {
  const written = createHash('sha256')
  async function* noted() {
    for await (const piece of backupText(backup)) {
      written.update(piece)
      yield piece
    }
  }
  await writeExport(host, name, noted())
  if ((await exportDigest(host, name)) !== written.digest('hex'))
    throw new Error('the backup reads back other than it was written')
}

/** A backup as JSON text, a row a line, in pieces that are small however large it is. */
export async function* backupText({ tables, checksum, ...head }: Backup): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"tables":{`
  for (const [at, name] of backupTableNames.entries()) {
    const { columns, rows } = tables[name]
    yield `${at === 0 ? '' : ','}\n${JSON.stringify(name)}:{"columns":${JSON.stringify(columns)},"rows":[`
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      const lines = rows.slice(from, from + rowsAtOnce).map((row) => JSON.stringify(row))
      yield `${from === 0 ? '\n' : ',\n'}${lines.join(',\n')}`
      await turn()
    }
    yield ']}'
  }
  yield `\n},"checksum":${JSON.stringify(checksum)}}\n`
}
