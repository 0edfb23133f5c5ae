import { AppError, GivenBack } from '../core/errors.ts'
import { type Core, invoke } from '../core/invoke.ts'
import { parseInput } from '../core/parse.ts'
import { internal, rpc } from '../http/rpc.ts'
import { dialogueOf } from './dialogue.ts'
import { protocolError, refusalResult } from './refusals.ts'
import type { Json, Turn } from './surface.ts'
import type { Table } from './table.ts'

/** Calls a tool (`tools/call`): what the operation refuses is told to the model as a result, with the next step in it. */
export async function callTool(core: Core, table: Table, turn: Turn): Promise<Json> {
  const { name, arguments: args = {} } = turn.params
  if (typeof name !== 'string') throw protocolError(rpc.params, 'name: the name of a tool is missing.')
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw protocolError(rpc.params, 'arguments: must be an object.')
  }
  const offer = table.get(name)
  if (offer === undefined) throw protocolError(rpc.params, unknownTool(name))
  try {
    if (offer.input !== offer.operation.input) parseInput({ name, input: offer.input }, args)
    const caller = { ...turn.caller, dialogue: dialogueOf(turn) }
    const answer = offer.answer.parse(await invoke(core, caller, offer.operation, args))
    return { content: [{ type: 'text', text: JSON.stringify(answer) }], structuredContent: answer }
  } catch (error) {
    if (error instanceof AppError) return refusalResult(error)
    if (error instanceof GivenBack) throw error
    core.report(error, turn.caller)
    throw protocolError(rpc.internal, internal)
  }
}

function unknownTool(name: string): string {
  // Anything but a plain name is not repeated: it may be text of others, or a secret.
  const shown = /^[a-z_]{1,40}$/.test(name) ? ` ${name}` : ''
  return `Unknown tool${shown}. tools/list names the tools there are.`
}
