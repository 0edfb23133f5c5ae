import type { Page } from '../../db/page.ts'
import { AppError } from './errors.ts'

interface Asked {
  limit: number
  cursor?: string | undefined
  order: 'asc' | 'desc'
}

/** Turns a cursor into the place to go on from; it names the row, so nothing is skipped or repeated. */
export function pageOf({ limit, cursor, order }: Asked): Page {
  // One more than asked, to know whether a next page exists.
  if (cursor === undefined) return { limit: limit + 1, order }
  return { limit: limit + 1, order, after: decode(cursor) }
}

/** The rows of the page and the cursor of the next. */
export function cut<Row>(
  rows: Row[],
  limit: number,
  key: (row: Row) => string,
): { rows: Row[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const more = rows.length > limit && last !== undefined
  return { rows: shown, next_cursor: more ? Buffer.from(key(last)).toString('base64url') : null }
}

export function decode(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString()
  if (/^[\w]{1,60}$/.test(text) && Buffer.from(text).toString('base64url') === cursor) return text
  throw new AppError('invalid_input', 'cursor: must be the next_cursor of the page before.', {
    field: 'cursor',
  })
}
