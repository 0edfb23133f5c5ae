import type { Core } from '../core/invoke.ts'
import { callTool } from './call.ts'
import { complete } from './completions.ts'
import { worded } from './faults.ts'
import { listTools } from './list-tools.ts'
import { listedFor, type McpOptions } from './listed.ts'
import { listing } from './listing.ts'
import { type MethodName, offered } from './offered.ts'
import { getPrompt, listPrompts } from './prompts/answer.ts'
import { listResources, listTemplates } from './resources/list.ts'
import { readResource } from './resources/read.ts'
import { subscribe, unsubscribe } from './resources/subscribe.ts'
import { watching } from './resources/watch.ts'
import type { Method, Surface } from './surface.ts'
import { makeTable } from './table.ts'
import { chosen } from './toolsets.ts'

/** What Tokenwright offers as an MCP server, the same in both eras of the protocol. */
export function makeProduct(core: Core, options: McpOptions): Surface {
  const table = makeTable(chosen(options))
  const methods: Record<MethodName, Method> = {
    'tools/list': listTools(listedFor(listing, options)),
    'tools/call': (turn) => callTool(core, table, turn),
    'resources/list': (turn) => listResources(core, turn),
    'resources/templates/list': listTemplates,
    'resources/read': (turn) => readResource(core, turn),
    'resources/subscribe': (turn) => subscribe(core, turn),
    'resources/unsubscribe': unsubscribe,
    'prompts/list': (turn) => listPrompts(table, turn),
    'prompts/get': (turn) => getPrompt(core, table, turn),
    'completion/complete': (turn) => complete(core, table, turn),
  }
  const answering = Object.entries(methods).map(([name, method]) => [name, wording(core, method)] as const)
  return {
    ...offered(options.version),
    stateKey: async () => core.keys.conversation,
    methods: new Map(answering),
    ...watching(core),
  }
}

/** The method, all that it fails with being errors of the protocol. */
function wording(core: Core, method: Method): Method {
  return async (turn) => {
    try {
      return await method(turn)
    } catch (error) {
      throw worded(core, turn, error)
    }
  }
}
