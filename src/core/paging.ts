import { z } from 'zod'
import type { Page } from '../../db/page.ts'
import { AppError } from './errors.ts'

interface Asked {
  limit: number
  cursor?: string | undefined
  order: 'asc' | 'desc'
  all?: true | undefined
}

/** Rows of a list that a contract calls complete; more are refused, never cut. */
const mostAtOnce = 10_000

/** What a dialect says for a complete list: oldest first, unpaged. */
export const complete = z.object({ all: z.literal(true) })

/** Turns a cursor into the place to go on from; it names the row, so nothing is skipped or repeated. */
export function pageOf({ limit, cursor, order, all }: Asked): Page {
  if (all) return { limit: mostAtOnce + 1, order: 'asc' }
  // One more than asked, to know whether a next page exists.
  if (cursor === undefined) return { limit: limit + 1, order }
  return { limit: limit + 1, order, after: decode(cursor) }
}

/** The rows of the page and the cursor of the next. */
export function cut<Row>(
  rows: Row[],
  { limit, all }: Pick<Asked, 'limit' | 'all'>,
  key: (row: Row) => string,
): { rows: Row[]; next_cursor: string | null } {
  if (all) return { rows: whole(rows), next_cursor: null }
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const more = rows.length > limit && last !== undefined
  return { rows: shown, next_cursor: more ? Buffer.from(key(last)).toString('base64url') : null }
}

/** All of a complete list. */
export function whole<Row>(rows: Row[]): Row[] {
  if (rows.length <= mostAtOnce) return rows
  throw new AppError('conflict', `The list has more than ${mostAtOnce} entries; narrow it.`, {
    reason: 'too_many',
  })
}

export function decode(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString()
  if (/^[\w]{1,60}$/.test(text) && Buffer.from(text).toString('base64url') === cursor) return text
  throw new AppError('invalid_input', 'cursor: must be the next_cursor of the page before.', {
    field: 'cursor',
  })
}
