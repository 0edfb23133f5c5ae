import { type CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { NewerSchema } from './errors.ts'
import { migrate, schemaVersion, storedVersion } from './migrate.ts'
import type { Prepared, Store, StoreOptions } from './open.ts'
import { binder } from './prepare.ts'
import type { Schema } from './schema.ts'

/** int8 as a number: every integer we store is far below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
}

/** `patience` bounds a server that accepts and never answers, ms (security R18). */
function pool(url: string, max: number, patience: number): pg.Pool {
  const made = new pg.Pool({
    connectionString: url,
    max,
    types: types as pg.CustomTypesConfig,
    connectionTimeoutMillis: 1_500,
    statement_timeout: 5_000,
    query_timeout: patience,
    idle_in_transaction_session_timeout: 10_000,
    application_name: 'tokenwright',
  })
  // An idle connection that the server ends is replaced by the pool; without a listener it would end the process.
  made.on('error', () => undefined)
  return made
}

/** Opens PostgreSQL: one pool for operations, one of its own for look-ups, so that no transaction holds them up. */
export async function openPostgres({ location }: StoreOptions): Promise<Store> {
  const lookups = pool(location, 4, 1_500)
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: pool(location, 10, 6_000) }) })
  const close = async () => void (await Promise.all([db.destroy(), lookups.end()]))
  try {
    await bringUpToDate(db)
  } catch (error) {
    await close()
    throw error
  }
  let names = 0
  return {
    engine: 'postgres',
    read: db,
    write: (work) => db.transaction().execute(work),
    prepare(build) {
      names += 1
      return prepared(lookups, `tokenwright_${names}`, build(db).compile())
    },
    async ping() {
      await lookups.query('select 1')
    },
    close,
  }
}

async function bringUpToDate(db: Kysely<Schema>): Promise<void> {
  const found = await storedVersion(db)
  if (found > schemaVersion) throw new NewerSchema(found, schemaVersion)
  // The migrator takes an advisory lock and runs everything in one transaction here.
  if (found < schemaVersion) await migrate(db, 'postgres')
}

function prepared<Row>(lookups: pg.Pool, name: string, query: CompiledQuery<Row>): Prepared<Row> {
  const bind = binder(query)
  return async (args) => {
    const { rows } = await lookups.query({ name, text: query.sql, values: bind(args) })
    return rows[0] as Row | undefined
  }
}
