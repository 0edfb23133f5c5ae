import { z } from 'zod'
import { shared } from '../fields.ts'

/** A group or server as it appears inside something else. */
export const named = z.object({ id: z.string(), slug: z.string(), name: z.string().nullable() })

shared.add(named, { id: 'Named' })

/** What all lists answer beside their items. */
export const paging = {
  next_cursor: z.string().nullable().describe('Pass as cursor for the next page; null at the end.'),
  total: z.int().nullable().describe('How many match; null beyond 1,000 unless include_total asks.'),
}

/** Metadata as it was sent, to the letter; zod's own records leave a member `__proto__` out. */
export const exactObject = z.unknown().meta({ type: 'object' })

export const isoTime = z.string().describe('ISO 8601, UTC.')
