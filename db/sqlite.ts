import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { type CompiledQuery, Kysely, SqliteDialect, sql } from 'kysely'
import { isBusy, NewerSchema, StoreUnavailable } from './errors.ts'
import { identity } from './identity.ts'
import { whenIdle } from './idle.ts'
import { migrate, schemaVersion, storedVersion } from './migrate.ts'
import type { Db, Prepared, Store, StoreOptions } from './open.ts'
import { binder } from './prepare.ts'
import type { Schema } from './schema.ts'
import { inTime } from './snapshot.ts'

type Handle = Database.Database

const patience = 5_000

/** Opens the file, private to its user (R4), in WAL with full durability (R42). */
export async function openSqlite({ location, busyTimeout }: StoreOptions): Promise<Store> {
  createPrivately(location)
  await bringUpToDate(location)
  const writer = connect(location, busyTimeout, false)
  const reader = connect(location, busyTimeout, true)
  const lookups = connect(location, busyTimeout, true)
  const read = kysely(reader)
  const write = kysely(writer)
  const sameFile = identity(location)
  const idle = whenIdle(() => write.connection().execute((db) => truncateLog(db, location)))
  return {
    engine: 'sqlite',
    read,
    write: (work) =>
      write.connection().execute(async (db) => {
        sameFile()
        await beginImmediate(db)
        idle.wrote()
        return finish(db, work)
      }),
    async snapshot(work, longest) {
      sameFile()
      const own = kysely(connect(location, busyTimeout, true))
      try {
        return await own.connection().execute(async (db) => {
          await sql`begin`.execute(db)
          return inTime(work(db), longest)
        })
      } finally {
        await own.destroy()
      }
    },
    prepare: (build) => prepared(lookups, build(read).compile(), sameFile),
    version: versionOf(lookups, sameFile),
    async ping() {
      sameFile()
      lookups.prepare('select seq from audit_head').get()
    },
    async close() {
      idle.stop()
      await read.destroy()
      lookups.close()
      // Last, because only a writer can put the log into the file and remove it.
      await write.destroy()
    },
  }
}

function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
}

function connect(path: string, busyTimeout: number, readonly: boolean): Handle {
  const handle = new Database(path, { readonly, timeout: busyTimeout })
  handle.pragma('synchronous = full')
  handle.pragma('foreign_keys = on')
  handle.pragma('trusted_schema = off')
  handle.pragma('cell_size_check = on')
  handle.pragma('journal_size_limit = 67108864')
  handle.pragma('mmap_size = 536870912')
  checkPragmas(handle)
  return handle
}

/** Reads the pragmas after a query, because a fresh connection reports what the build says (F2). */
function checkPragmas(handle: Handle): void {
  handle.prepare('select count(*) from sqlite_master').get()
  const wanted = {
    journal_mode: 'wal',
    synchronous: 2,
    foreign_keys: 1,
    trusted_schema: 0,
    cell_size_check: 1,
  }
  for (const [name, value] of Object.entries(wanted)) {
    if (handle.pragma(name, { simple: true }) !== value) {
      throw new StoreUnavailable(
        `SQLite did not accept ${name} = ${value}; the database needs a local file system.`,
      )
    }
  }
}

/** Prepares each text once; Kysely alone would prepare anew on every call. */
function kysely(handle: Handle): Kysely<Schema> {
  const statements = new Map<string, Database.Statement>()
  const database = {
    close: () => handle.close(),
    prepare(text: string) {
      let statement = statements.get(text)
      if (statement === undefined) {
        statement = handle.prepare(text)
        if (statements.size >= 500) statements.clear()
        statements.set(text, statement)
      }
      return statement as never
    },
  }
  return new Kysely<Schema>({ dialect: new SqliteDialect({ database }) })
}

async function bringUpToDate(path: string): Promise<void> {
  const handle = new Database(path, { timeout: patience })
  try {
    await retry(async () => handle.pragma('journal_mode = wal'))
    const db = kysely(handle)
    if ((await checkedVersion(db)) === schemaVersion) return
    await retry(async () => handle.exec('begin exclusive'))
    try {
      if ((await checkedVersion(db)) < schemaVersion) await migrate(db, 'sqlite')
      handle.exec('commit')
    } catch (error) {
      if (handle.inTransaction) handle.exec('rollback')
      throw error
    }
  } finally {
    handle.close()
  }
}

async function checkedVersion(db: Db): Promise<number> {
  const found = await storedVersion(db)
  if (found > schemaVersion) throw new NewerSchema(found, schemaVersion)
  return found
}

function beginImmediate(db: Db): Promise<unknown> {
  return retry(() => sql`begin immediate`.execute(db))
}

async function finish<T>(db: Db, work: (db: Db) => Promise<T>): Promise<T> {
  try {
    const result = await work(db)
    await sql`commit`.execute(db)
    commits += 1
    return result
  } catch (error) {
    // A failed rollback means there is no transaction left; the first error is the one to tell.
    await sql`rollback`.execute(db).catch(() => undefined)
    throw error
  }
}

/** Waits for another process's lock without holding the event loop, up to 5 s (R45). */
async function retry<T>(attempt: () => Promise<T>): Promise<T> {
  const giveUp = Date.now() + patience
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isBusy(error)) throw error
      if (Date.now() > giveUp) throw new StoreUnavailable('The database is locked by another process.', error)
      await sleep(1 + Math.random() * 20)
    }
  }
}

/** A log above this many bytes was held up by a reader; otherwise it goes into the file at about half of that. */
const longLog = 8 * 1024 * 1024

/** Puts a long log into the file and cuts it, unless a reader still needs it; answers whether it is short now (R58). */
async function truncateLog(db: Db, path: string): Promise<boolean> {
  const size = () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  if (size() < longLog) return true
  await sql`pragma wal_checkpoint(truncate)`.execute(db)
  return size() < longLog
}

/** Commits of this process so far; what was read of the version before one says nothing any more. */
let commits = 0

const settled = Promise.resolve()

/**
 * Sees each commit of every other connection, our own writer's included (F6). It is read once for all that follows from one
 * event of the loop: nobody can have sent anything since that is answered before the next event.
 */
function versionOf(handle: Handle, sameFile: () => void): () => number {
  const statement = handle.prepare<[], number>('pragma data_version').pluck()
  let version = 0
  let readAt = -1
  const forget = () => {
    readAt = -1
  }
  // Ticks come before the promises they follow, so the end is told by the tick after those.
  const afterPromises = () => process.nextTick(forget)
  const afterTicks = () => void settled.then(afterPromises)
  return () => {
    sameFile()
    if (readAt === commits) return version
    version = statement.get() ?? 0
    readAt = commits
    process.nextTick(afterTicks)
    return version
  }
}

function prepared<Row>(handle: Handle, query: CompiledQuery<Row>, sameFile: () => void): Prepared<Row> {
  const bind = binder(query)
  const statement = handle.prepare<unknown[], Row>(query.sql)
  return (args) => {
    sameFile()
    return statement.get(...bind(args))
  }
}
