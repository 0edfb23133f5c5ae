import type { Core } from '../core/invoke.ts'
import { rpc } from '../http/rpc.ts'
import { callTool } from './call.ts'
import { instructions } from './instructions.ts'
import { protocolError } from './refusals.ts'
import type { Method, Surface, Turn } from './surface.ts'
import { makeTable, type Table, toolsFor } from './table.ts'
import { chosen, type McpOptions } from './toolsets.ts'

/** What Tokenwright offers as an MCP server, the same in both eras of the protocol. */
export function makeProduct(core: Core, options: McpOptions): Surface {
  const table = makeTable(chosen(options))
  const methods = new Map<string, Method>(
    Object.entries({
      'tools/list': (turn) => list(table, turn),
      'tools/call': (turn) => callTool(core, table, turn),
    }),
  )
  return {
    info: { name: 'tokenwright', title: 'Tokenwright', version: options.version },
    instructions,
    capabilities: { tools: { listChanged: false } },
    stateKey: core.keys.conversation,
    methods,
  }
}

function list(table: Table, { caller, params }: Turn) {
  if (params['cursor'] !== undefined) {
    throw protocolError(rpc.params, 'The list has one page; leave cursor out.')
  }
  return { tools: toolsFor(table, caller.actor) }
}
