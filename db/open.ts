import type { CompiledQuery, Kysely } from 'kysely'
import { refusesWrites } from './errors.ts'
import type { Engine } from './migrate.ts'
import type { Schema } from './schema.ts'

/** What query functions take: the read connection or a transaction. */
export type Db = Kysely<Schema>

/** A query of the hot path: built once, compiled, prepared; answers its first row. */
export type Prepared<Row> = (args: readonly unknown[]) => Row | undefined | Promise<Row | undefined>

/** An open database with its three ways in: reads, one write transaction at a time, and prepared look-ups. */
export interface Store {
  engine: Engine
  read: Db
  /** Runs `work` in one write transaction; a busy store is waited for up to 5 s, then `StoreUnavailable`. */
  write<T>(work: (db: Db) => Promise<T>): Promise<T>
  /**
   * Runs `work` in one read transaction on a connection of its own, so that nobody waits for it; it is ended after
   * `longest` ms, because it keeps old pages alive (security R58).
   */
  snapshot<T>(work: (db: Db) => Promise<T>, longest?: number): Promise<T>
  /** Prepares a query whose parameters are `slot(0)`, `slot(1)`, … on a connection nothing else uses. */
  prepare<Row>(build: (db: Db) => { compile(): CompiledQuery<Row> }): Prepared<Row>
  /** A number that differs after every commit by anybody, where the store has one that costs nothing. */
  version?: () => number
  /** Answers if the store can be read now; throws otherwise. */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface StoreOptions {
  /** `postgres://…`, or the path of the SQLite file. */
  location: string
  /** How long a connection waits in its thread for a lock, ms: ≤ 50 where an event loop serves, ≥ 5,000 elsewhere (R42). */
  busyTimeout: number
}

/** Opens the store and brings its schema up to date under an exclusive lock. */
export async function openStore(options: StoreOptions): Promise<Store> {
  // Only the driver in use is loaded: a stdio process starts with every conversation.
  const store = /^postgres(ql)?:\/\//.test(options.location)
    ? await (await import('./postgres.ts')).openPostgres(options)
    : await (await import('./sqlite.ts')).openSqlite(options)
  return rememberingFaults(store)
}

/** The store, not ready from a write it had no room or right for until the next one that succeeds (security R58). */
function rememberingFaults(store: Store): Store {
  let fault: unknown
  return {
    ...store,
    async write(work) {
      try {
        const result = await store.write(work)
        fault = undefined
        return result
      } catch (error) {
        if (refusesWrites(error)) fault = error
        throw error
      }
    },
    async ping() {
      if (fault !== undefined) throw fault
      await store.ping()
    },
  }
}
