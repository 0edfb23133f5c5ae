import { toolsets } from '../../tools/index.ts'
import type { AnyOperation } from '../core/operation.ts'
import { isOffered, type McpOptions, offeredSets } from './listed.ts'

/** The sets there are. */
export const sets = Object.entries(toolsets).map(([name, set]) => ({ name, default: set.default }))

/** The operations that are offered as tools, in the order of `tools/index.ts`; throws `invalid_input` for an unknown set. */
export function chosen(options: Omit<McpOptions, 'version'>): AnyOperation[] {
  const offered = [...offeredSets(sets, options.toolsets)]
  const operations = new Set(offered.flatMap(toolsOf))
  return [...operations].filter(({ effect }) => isOffered(effect, options))
}

/** The operations of a set that models may call. */
export function toolsOf(set: string): AnyOperation[] {
  const operations = toolsets[set]?.operations ?? []
  // A password has no place in a conversation.
  return operations.filter(
    ({ faces, credential }) => credential === undefined && (faces === undefined || faces.includes('mcp')),
  )
}
