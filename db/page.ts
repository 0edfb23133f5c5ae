/** One page of a list in id order: keyset paging neither skips nor repeats while rows are inserted. */
export interface Page {
  limit: number
  order: 'asc' | 'desc'
  /** The last id of the page before. */
  after?: string | undefined
}

/**
 * The pattern of a substring match with `%` and `_` as plain characters; use on `lower(column)` with `escape '\\'`.
 * Both databases fold ASCII letters only (SQLite always, PostgreSQL under the collation "C"), so this does too.
 */
export function contains(text: string): string {
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return `%${folded.replace(/[\\%_]/g, '\\$&')}%`
}

/** Counts are exact up to this many rows. */
export const countCap = 1_000
