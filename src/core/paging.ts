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
  return { rows: shown, next_cursor: more ? cursorBehind(key(last)) : null }
}

/** The cursor of the page that starts behind this key in the order asked, whether a row has the key or not. */
export function cursorBehind(key: string): string {
  return Buffer.from(key).toString('base64url')
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

/** What a dialect says for the rows next to one: behind `after`, or in front of `before`. */
export const windowed = z.object({
  window: z.object({ after: z.string().optional(), before: z.string().optional() }),
})

/** What it gets beside the rows. */
export const windowFlags = z.object({ has_more_after: z.boolean(), has_more_before: z.boolean() })

interface Source<Row> {
  list(page: Page): Promise<Row[]>
  /** True if there is such a row, whatever the filter. */
  exists(id: string): Promise<boolean>
  /** True if the row is one of those the filter lets through. */
  matches(id: string): Promise<boolean>
}

/** The rows of a window and what lies around them; none next to a row that does not exist (metorial:tokens:list:flags). */
export async function windowOf<Row>(
  { limit, order, window }: Asked & { window: { after?: string | undefined; before?: string | undefined } },
  source: Source<Row>,
): Promise<{ rows: Row[]; has_more_after: boolean; has_more_before: boolean }> {
  const { after, before } = window
  const mark = after ?? before
  if (mark !== undefined && !(await source.exists(mark)))
    return { rows: [], has_more_after: false, has_more_before: false }
  const beside = mark !== undefined && (await source.matches(mark))
  const page = { limit: limit + 1, order }
  if (after === undefined && before !== undefined) {
    const found = await source.list({ ...page, before })
    const more = found.length > limit
    return { rows: more ? found.slice(1) : found, has_more_after: beside, has_more_before: more }
  }
  const found = await source.list({ ...page, after })
  return { rows: found.slice(0, limit), has_more_after: found.length > limit, has_more_before: beside }
}
