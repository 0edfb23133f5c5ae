import { type CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { NewerSchema } from './errors.ts'
import { migrate, schemaVersion, storedVersion } from './migrate.ts'
import type { Prepared, Store, StoreOptions } from './open.ts'
import { binder } from './prepare.ts'
import type { Schema } from './schema.ts'
import { inTime } from './snapshot.ts'

/** int8 as a number: every integer we store is far below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
}

interface Pool {
  max: number
  /** How long a caller waits for a free connection, ms. */
  queue: number
  /** Bounds a server that accepts and never answers, ms (security R18). */
  answer: number
  /** How long the server works on one statement, ms. */
  statement?: number
}

function pool(url: string, { max, queue, answer, statement = 5_000 }: Pool): pg.Pool {
  const made = new pg.Pool({
    connectionString: url,
    max,
    types: types as pg.CustomTypesConfig,
    connectionTimeoutMillis: queue,
    statement_timeout: statement,
    query_timeout: answer,
    idle_in_transaction_session_timeout: 10_000,
    application_name: 'tokenwright',
  })
  // An idle connection that the server ends is replaced by the pool; without a listener it would end the process.
  made.on('error', () => undefined)
  // The same for one that is ended between two statements of a transaction; the next statement tells.
  made.on('connect', (client) => client.on('error', () => undefined))
  return made
}

/**
 * Opens PostgreSQL with a pool each for look-ups, reads and writes: writers wait for one another at the head of the
 * trail, up to 5 s (security R45), and neither look-ups nor reads wait with them.
 */
export async function openPostgres({ location }: StoreOptions): Promise<Store> {
  const lookups = pool(location, { max: 4, queue: 1_500, answer: 1_500 })
  const read = kysely(pool(location, { max: 6, queue: 1_500, answer: 6_000 }))
  const write = kysely(pool(location, { max: 4, queue: 5_000, answer: 6_000 }))
  const close = async () => void (await Promise.all([read.destroy(), write.destroy(), lookups.end()]))
  try {
    await bringUpToDate(write)
  } catch (error) {
    await close()
    throw error
  }
  let names = 0
  return {
    engine: 'postgres',
    read,
    write: (work) => write.transaction().execute(work),
    async snapshot(work, longest) {
      const own = kysely(pool(location, { max: 1, queue: 5_000, answer: 31_000, statement: 30_000 }))
      try {
        const transaction = own.transaction().setIsolationLevel('repeatable read').setAccessMode('read only')
        return await transaction.execute((db) => inTime(work(db), longest))
      } finally {
        await own.destroy()
      }
    },
    prepare(build) {
      names += 1
      return prepared(lookups, `tokenwright_${names}`, build(read).compile())
    },
    async ping() {
      await lookups.query('select 1')
    },
    close,
  }
}

function kysely(connections: pg.Pool): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool: connections }) })
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
