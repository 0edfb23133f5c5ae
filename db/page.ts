import { type SelectQueryBuilder, sql } from 'kysely'
import type { Db } from './open.ts'
import type { Schema } from './schema.ts'

/** One page of a list in id order: keyset paging neither skips nor repeats while rows are inserted. */
export interface Page {
  limit: number
  order: 'asc' | 'desc'
  /** The last id of the page before. */
  after?: string | undefined
  /** The first id of the page behind; the rows directly in front of it are wanted. */
  before?: string | undefined
}

/** The rows of a page of a query, in the order of the page. */
export async function rowsOf<Tables extends keyof Schema, Row>(
  query: SelectQueryBuilder<Schema, Tables, Row>,
  column: string,
  { limit, order, after, before }: Page,
): Promise<Row[]> {
  const backwards = after === undefined && before !== undefined
  const direction = backwards === (order === 'asc') ? 'desc' : 'asc'
  const ordered = query.orderBy(sql.ref(column), direction).limit(limit)
  const mark = after ?? before
  if (mark === undefined) return ordered.execute()
  const beyond = sql.raw(direction === 'asc' ? '>' : '<')
  const rows = await ordered.where(sql<boolean>`${sql.ref(column)} ${beyond} ${mark}`).execute()
  return backwards ? rows.reverse() : rows
}

/**
 * Rows with the text in one of the columns, `%` and `_` being plain characters. Both databases fold ASCII letters only
 * (SQLite always, PostgreSQL under the collation "C"), so this does too.
 */
export function textIn(text: string, columns: readonly string[]) {
  const like = `%${folded(text).replace(/[\\%_]/g, '\\$&')}%`
  const terms = columns.map((column) => sql`lower(${sql.ref(column)}) like ${like} escape '\\'`)
  return sql<boolean>`(${sql.join(terms, sql` or `)})`
}

/** Whether `textIn` finds the text in this value. */
export function holdsText(value: string, text: string): boolean {
  return folded(value).includes(folded(text))
}

function folded(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** Counts are exact up to this many rows. */
const countCap = 1_000

/** How many rows a query has; beyond 1,000 null, unless `exact` asks for the whole count. */
export async function countOf<Tables extends keyof Schema>(
  db: Db,
  rows: SelectQueryBuilder<Schema, Tables, { id: string }>,
  exact: boolean,
): Promise<number | null> {
  const { n } = await db
    .selectFrom((exact ? rows : rows.limit(countCap + 1)).as('counted'))
    .select((is) => is.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow()
  return !exact && n > countCap ? null : n
}
