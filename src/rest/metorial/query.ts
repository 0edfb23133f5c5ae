import { z } from 'zod'
import { AppError } from '../../core/errors.ts'
import { everyValue, soughtBy } from '../query.ts'
import { decodeCursor } from './cursor.ts'

/** All values of a query by name: `k=a&k=b`, `k[]=a&k[]=b` and `k[0]=a&k[1]=b` mean the same (metorial:tokens:list:array-encodings). */
export function readQuery(search: string): Record<string, string[]> {
  return everyValue(search, (written) => written.replace(/\[\d*\]$/, ''))
}

const one = z.array(z.string()).length(1, 'must be given once')
const text = one.transform(([value]) => value ?? '')
const row = text.transform(soughtBy)
const search = text.refine((value) => !value.includes('\0'), 'holds NUL')
const whole = text
  .refine((value) => /^\d{1,9}$/.test(value), 'must be a whole number')
  .transform(Number)
  .pipe(z.int().min(1).max(100))

/** An id that is empty is ignored; one that does not exist matches nothing. */
const ids = z
  .array(z.string())
  .transform((all) => all.filter((id) => id !== '').map(soughtBy))
  .meta({ type: 'array', items: { type: 'string' } })

/** One of these words, given once. */
function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  return text.pipe(z.enum(words))
}

const place = {
  limit: whole.optional().describe('1 to 100, default 20.'),
  after: row.optional().describe('Rows behind this id.'),
  before: row.optional().describe('Rows directly in front of this id.'),
  cursor: text.optional(),
  order: word(['asc', 'desc']).optional().describe('By id; default asc.'),
}

export const tokenQuery = z.object({
  ...place,
  status: z.array(z.enum(['active', 'deleted'])).optional(),
  magic_mcp_group_id: ids.optional(),
  magic_mcp_server_id: ids.optional(),
  magic_mcp_endpoint_id: ids.optional(),
})

const states = z.array(z.enum(['active', 'archived', 'deleted'])).optional()

export const groupQuery = z.object({ ...place, status: states, search: search.optional() })

export const serverQuery = z.object({ ...groupQuery.shape, magic_mcp_group_id: ids.optional() })

type Place = z.output<z.ZodObject<typeof place>>

/** Where a page lies: `after` beats `before` beats `cursor` (metorial:tokens:list:precedence). */
export function placeOf({ limit, after, before, cursor, order }: Place) {
  const window = after !== undefined ? { after } : before !== undefined ? { before } : fromCursor(cursor)
  return { limit: limit ?? 20, order: order ?? ('asc' as const), window }
}

/** A filter by ids, where there is one. */
export function someOf(all: string[] | undefined): string[] | undefined {
  return all === undefined || all.length === 0 ? undefined : all
}

function fromCursor(cursor: string | undefined): { after?: string; before?: string } {
  if (cursor === undefined) return {}
  const place = decodeCursor(cursor)
  if (place !== undefined) return { [place.side]: soughtBy(place.id) }
  throw new AppError('invalid_input', 'Invalid cursor format', { entity: 'query', reason: 'invalid_cursor' })
}
