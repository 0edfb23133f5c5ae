import type { Core } from '../core/invoke.ts'
import { callTool } from './call.ts'
import { listTools } from './list-tools.ts'
import { listedFor, type McpOptions } from './listed.ts'
import { listing } from './listing.ts'
import { type MethodName, offered } from './offered.ts'
import type { Method, Surface } from './surface.ts'
import { makeTable } from './table.ts'
import { chosen } from './toolsets.ts'

/** What Tokenwright offers as an MCP server, the same in both eras of the protocol. */
export function makeProduct(core: Core, options: McpOptions): Surface {
  const table = makeTable(chosen(options))
  const methods: Record<MethodName, Method> = {
    'tools/list': listTools(listedFor(listing, options)),
    'tools/call': (turn) => callTool(core, table, turn),
  }
  return {
    ...offered(options.version),
    stateKey: async () => core.keys.conversation,
    methods: new Map(Object.entries(methods)),
  }
}
