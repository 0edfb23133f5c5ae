import { z } from 'zod'
import * as limits from '../../../db/limits.ts'
import type { TokenRow } from '../../../db/schema.ts'
import * as uses from '../../../db/uses.ts'
import { isLimited, usageOf } from '../../domain/use-limits.ts'
import type { Context } from '../context.ts'
import { shared } from '../fields.ts'
import { isoTime } from './named.ts'
import { tokenView } from './token.ts'

const usage = z.object({
  window_count: z.int().describe('Requests counted in the window that runs.'),
  window_ends_at: isoTime.nullable().describe('null = no window is limited.'),
  uses: z.int().describe('All uses counted against max_uses.'),
})

const generation = z.object({
  generation: z.int(),
  first_used_at: isoTime,
  last_used_at: isoTime,
  last_used_ip: z.string().nullable(),
  use_count: z.int(),
})

const generationsShown = 10

/** A token in full, with what only it tells of its uses. */
export const wholeTokenView = tokenView.extend({
  usage: usage.nullable().describe('What is counted against its limits; null = without limits.'),
  leaked_at: isoTime.nullable().describe('When its secret was reported as leaked; null = not.'),
  generations: z.array(generation).describe('Uses of its latest secrets, newest first, at most 10.'),
})

shared.add(wholeTokenView, { id: 'WholeToken' })

/** The members that the whole view has beside the other. */
export async function showUses({ db, now }: Pick<Context, 'db' | 'now'>, row: TokenRow) {
  const generations = await uses.latest(db, row.id, generationsShown)
  const { leaked_at } = row
  if (!isLimited(row)) return { usage: null, leaked_at, generations }
  const { window_end, ...counts } = usageOf(row, await limits.find(db, row.id), Date.parse(now))
  const window_ends_at = window_end === null ? null : new Date(window_end).toISOString()
  return { usage: { ...counts, window_ends_at }, leaked_at, generations }
}
