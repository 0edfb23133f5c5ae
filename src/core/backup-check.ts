import { timingSafeEqual } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { z } from 'zod'
import {
  type Backup,
  backupForm,
  type Cell,
  rowProblem,
  startChecksum,
  type TableDump,
} from '../domain/backup.ts'
import { type BackupTable, backupTableNames, columnsOf, formOf } from '../domain/backup-tables.ts'
import { guardrailPolicy } from '../domain/guardrail-policy.ts'
import { projectPolicySchema } from '../domain/settings.ts'
import type { Context } from './context.ts'
import { AppError } from './errors.ts'

const rowsAtOnce = 200

/**
 * The backup that a document is: made under this master key, unchanged since, and whole. Throws `invalid_input` and
 * `conflict`, both before anything is changed (security R56, R57).
 */
export async function checkBackup(
  { keys }: Pick<Context, 'keys'>,
  document: unknown,
  master: string,
): Promise<Backup> {
  const made = formed(document)
  if (made.master !== master) throw otherMaster()
  await checkSum(made, keys.backup)
  const backup = await completed(made)
  await checkRows(backup)
  await checkReferences(backup)
  return backup
}

/** A backup as it was made, by this version or an earlier one. */
type Made = Omit<Backup, 'tables'> & { tables: Partial<Backup['tables']> }

function formed(document: unknown): Made {
  const parsed = backupForm.safeParse(document)
  if (!parsed.success) throw noBackup('It is no backup of this program, or one of another version.')
  const made = parsed.data as unknown as Made
  for (const name of backupTableNames) {
    const columns = made.tables[name]?.columns.join()
    if (columns !== undefined && !formsOf(name).some((known) => known.join() === columns))
      throw noBackup(`The columns of its table ${name} are not those of this version.`)
  }
  return made
}

/** The columns of a table now, and without the last of those that came to it one after another. */
function formsOf(name: BackupTable): string[][] {
  const columns = columnsOf(name)
  const { added = [] } = formOf(name)
  return [...added, ''].map((_, missing) => columns.slice(0, columns.length - missing))
}

/** The backup with what came to its tables after it was made: no rows, and nulls at the end of the others. */
async function completed({ tables, ...head }: Made): Promise<Backup> {
  const all: [BackupTable, TableDump][] = []
  for (const name of backupTableNames) {
    const columns = columnsOf(name)
    const { columns: had, rows } = tables[name] ?? { columns, rows: [] }
    const nulls = columns.slice(had.length).map(() => null)
    const whole: Cell[][] = []
    if (nulls.length > 0) await each(rows, (row) => whole.push(Array.isArray(row) ? [...row, ...nulls] : row))
    all.push([name, { columns, rows: nulls.length > 0 ? whole : rows }])
  }
  return { ...head, tables: Object.fromEntries(all) as Backup['tables'] }
}

async function checkSum(made: Made, key: Buffer): Promise<void> {
  const sum = startChecksum(key, made)
  for (const name of backupTableNames) {
    const dump = made.tables[name]
    if (dump === undefined) continue
    const { columns, rows } = dump
    sum.table(name, columns)
    await each(rows, (row) => sum.row(row))
  }
  if (timingSafeEqual(Buffer.from(sum.end()), Buffer.from(made.checksum))) return
  throw noBackup('It was changed after it was made: its checksum does not fit.')
}

async function checkRows({ tables }: Backup): Promise<void> {
  for (const name of backupTableNames) {
    await each(tables[name].rows, (row) => {
      const problem = rowProblem(name, row)
      if (problem !== undefined) throw noBackup(`It holds what this version cannot store: ${problem}.`)
    })
  }
  const policies = tables.projects.columns.indexOf('policy')
  await each(tables.projects.rows, (row) => {
    if (row[policies] === null || fits(projectPolicySchema, String(row[policies]))) return
    throw noBackup('A project in it has a policy that this version does not know.')
  })
  const { columns, rows } = tables.servers
  const sides = ['input_guardrails', 'output_guardrails'].map((name) => columns.indexOf(name))
  await each(rows, (row) => {
    if (sides.every((at) => fits(guardrailPolicy, String(row[at])))) return
    throw noBackup('A server in it has a guardrail policy that this version does not know.')
  })
}

function fits(schema: z.ZodType, text: string): boolean {
  try {
    return schema.safeParse(JSON.parse(text)).success
  } catch {
    return false
  }
}

/** Each row that is named by another is there. */
async function checkReferences({ tables }: Backup): Promise<void> {
  const known = new Map<string, Set<unknown>>()
  for (const name of backupTableNames) {
    const { columns, rows } = tables[name]
    for (const [column, target] of Object.entries(formOf(name).references)) {
      const [at, ids] = [columns.indexOf(column), known.get(target)]
      await each(rows, (row) => {
        if (row[at] === null || ids?.has(row[at])) return
        throw noBackup(`A row of ${name} names one of ${target} that is not in it.`)
      })
    }
    if (formOf(name).key.length > 1) continue
    const ids = new Set<unknown>()
    await each(rows, (row) => ids.add(row[0]))
    known.set(name, ids)
  }
}

/** Goes through rows and lets others have their turn in between. */
async function each<Row>(rows: readonly Row[], work: (row: Row) => unknown): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    for (const row of rows.slice(from, from + rowsAtOnce)) work(row)
    await turn()
  }
}

function noBackup(why: string): AppError {
  return new AppError('invalid_input', `This backup cannot be restored. ${why}`, {
    field: 'data',
    reason: 'backup',
  })
}

function otherMaster(): AppError {
  return new AppError(
    'conflict',
    'This backup was made under another master key. Start this instance with the secret.key, or the TOKENWRIGHT_SECRET, of the one that made it.',
    { entity: 'backup', reason: 'other_master' },
  )
}
