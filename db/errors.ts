/** The store cannot answer now; callers turn it into 503, never into a verdict (security R18). */
export class StoreUnavailable extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause })
    this.name = 'StoreUnavailable'
  }
}

/** The store was written by a newer version of this program. */
export class NewerSchema extends Error {
  constructor(found: number, known: number) {
    super(
      `The database has schema version ${found}; this program knows ${known}. Start the newer tokenwright, or restore a backup.`,
    )
    this.name = 'NewerSchema'
  }
}

const down =
  /^(SQLITE_(BUSY|LOCKED|CORRUPT|IOERR|FULL|READONLY|CANTOPEN|NOTADB|PROTOCOL|PERM)|08|53|57|58|55P03|25006|XX001|ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|EHOSTUNREACH)/

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}

/** True for faults of the store itself: down, locked, full, damaged, timed out. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof StoreUnavailable || error instanceof NewerSchema) return true
  if (down.test(codeOf(error))) return true
  return (
    error instanceof Error &&
    /Connection terminated|not queryable|Query read timeout|timeout exceeded when trying to connect|pool after calling end|database connection is not open/.test(
      error.message,
    )
  )
}

/** True if the store takes no writes until somebody helps it: a full disk, a read-only file or server, damage. */
export function refusesWrites(error: unknown): boolean {
  return /^(SQLITE_(FULL|READONLY|IOERR|CORRUPT|CANTOPEN)|53100|25006)/.test(codeOf(error))
}

/** True if a unique index refused the row. */
export function isUniqueViolation(error: unknown): boolean {
  return /^(SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)|23505)$/.test(codeOf(error))
}

/** True if another connection holds the write lock; worth another try. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY')
}

/** True if the table asked for is not there. */
export function isMissingTable(error: unknown): boolean {
  return codeOf(error) === '42P01' || (error instanceof Error && /^no such table/.test(error.message))
}
