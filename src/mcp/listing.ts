import type { Listing } from './listed.ts'
import { makeTable } from './table.ts'
import { sets, toolsOf } from './toolsets.ts'

/** Every tool there is, as it is listed; the bundle holds the result instead of what it is made from. */
export const listing: Listing = {
  sets,
  tools: sets.flatMap(({ name: set }) =>
    [...makeTable(toolsOf(set)).values()].map(({ tool, operation }) => {
      const { permission, effect, permitsSelf } = operation
      return { tool, set, permission, effect, ...(permitsSelf !== undefined && { permitsSelf: true }) }
    }),
  ),
}
