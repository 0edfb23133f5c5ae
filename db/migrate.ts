import { type Kysely, type Migration, type MigrationProvider, Migrator, sql } from 'kysely'
import { isMissingTable } from './errors.ts'
import { appendOnly, foundation } from './migrations/0001-foundation.ts'
import { limits } from './migrations/0002-limits.ts'
import { policies } from './migrations/0003-policies.ts'
import type { Schema } from './schema.ts'

export type Engine = 'sqlite' | 'postgres'

/** What the engines call their column types. */
export interface ColumnNames {
  text: string
  int: string
  blob: string
  strict: string
}

const names: Record<Engine, ColumnNames> = {
  sqlite: { text: 'text', int: 'integer', blob: 'blob', strict: 'strict' },
  // Byte order, so that ids and times sort alike on every engine whatever the database's locale.
  postgres: { text: 'text collate "C"', int: 'bigint', blob: 'bytea', strict: '' },
}

const steps: [name: string, statements: (engine: Engine) => string[]][] = [
  ['0001-foundation', (engine) => [...foundation(names[engine]), ...appendOnly[engine]]],
  ['0002-limits', (engine) => limits(names[engine])],
  ['0003-policies', (engine) => policies(names[engine])],
]

/** The version this program writes; a store above it belongs to a newer program. */
export const schemaVersion = steps.length

function provider(engine: Engine): MigrationProvider {
  const migration = (statements: string[], version: number): Migration => ({
    async up(db) {
      for (const statement of statements) await sql.raw(statement).execute(db)
      await sql`update audit_head set schema_version = ${version}`.execute(db)
    },
  })
  const all = steps.map(([name, statements], at) => [name, migration(statements(engine), at + 1)] as const)
  return { getMigrations: async () => Object.fromEntries(all) }
}

/** Brings the schema up to that version; the caller holds the engine's exclusive lock (security R55). */
export async function migrate(db: Kysely<Schema>, engine: Engine, version = schemaVersion): Promise<void> {
  const [name] = steps[version - 1] ?? []
  if (name === undefined) throw new Error(`there is no version ${version}`)
  const { error } = await new Migrator({ db, provider: provider(engine) }).migrateTo(name)
  if (error !== undefined) throw error
}

/** The version of the store, 0 for an empty one. */
export async function storedVersion(db: Kysely<Schema>): Promise<number> {
  try {
    const head = await db.selectFrom('audit_head').select('schema_version').executeTakeFirst()
    return head?.schema_version ?? 0
  } catch (error) {
    // Asked on every start, where listing the tables first would cost more than the rest of it.
    if (isMissingTable(error)) return 0
    throw error
  }
}
