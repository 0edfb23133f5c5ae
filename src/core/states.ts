import { z } from 'zod'

/** What a dialect says of things that leave a tombstone: which of the two it wants, possibly neither; text of any length. */
export const states = z.object({ states: z.array(z.enum(['active', 'deleted'])), text: z.string().min(1) })

/** The filter of a list: whether deleted, and nothing at all where no state is wanted. */
export function stateFilter(
  asked: { states?: readonly ('active' | 'deleted')[] | undefined },
  include_deleted: boolean,
): { deleted?: boolean | undefined; none?: boolean } {
  const wanted = new Set(asked.states ?? (include_deleted ? ['active', 'deleted'] : ['active']))
  if (wanted.size === 0) return { none: true }
  return { deleted: wanted.size === 2 ? undefined : wanted.has('deleted') }
}
