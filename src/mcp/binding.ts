import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import type { JSONRPCRequest, ServerNotification, ServerRequest } from '@modelcontextprotocol/sdk/types.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import type { Caller } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { type Core, invoke } from '../core/invoke.ts'
import { parseInput } from '../core/parse.ts'
import { internal, rpc } from '../http/rpc.ts'
import { instructions } from './instructions.ts'
import { protocolError, refusalResult } from './refusals.ts'
import { type Table, toolsFor } from './table.ts'

export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

export interface Binding {
  core: Core
  table: Table
  version: string
  /** Who sent this request; the name its client gave itself is added here. */
  callerOf(extra: Extra): Caller
}

// A server builds one of its own otherwise, which costs more than all the rest of it.
const jsonSchemaValidator = new AjvJsonSchemaValidator()

/** A server of the protocol's first era (up to 2025-11-25) over the table; one per connection, session or lone request (security R17). */
export function makeServer(binding: Binding): Server {
  const server = new Server(
    { name: 'tokenwright', title: 'Tokenwright', version: binding.version },
    { capabilities: { tools: { listChanged: false } }, instructions, jsonSchemaValidator },
  )
  // The SDK's typed handlers answer bad parameters with the text of their own exception, so ours are read here.
  server.fallbackRequestHandler = async ({ method, params }: JSONRPCRequest, extra: Extra) => {
    if (method === 'tools/list') return list(binding, binding.callerOf(extra), params)
    if (method !== 'tools/call') throw protocolError(rpc.method, 'Method not found')
    const client = server.getClientVersion()
    const named = client === undefined ? null : { name: client.name, version: client.version }
    return call(binding, { ...binding.callerOf(extra), client: named }, params)
  }
  return server
}

type Params = JSONRPCRequest['params']

function list({ table }: Binding, { actor }: Caller, params: Params) {
  if (params?.['cursor'] !== undefined) {
    throw protocolError(rpc.params, 'The list has one page; leave cursor out.')
  }
  return { tools: toolsFor(table, actor) }
}

async function call({ core, table }: Binding, caller: Caller, params: Params) {
  const { name, arguments: args = {} } = params ?? {}
  if (typeof name !== 'string') throw protocolError(rpc.params, 'name: the name of a tool is missing.')
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw protocolError(rpc.params, 'arguments: must be an object.')
  }
  const offer = table.get(name)
  if (offer === undefined) throw protocolError(rpc.params, unknownTool(name))
  try {
    if (offer.input !== offer.operation.input) parseInput({ name, input: offer.input }, args)
    const answer = offer.answer.parse(await invoke(core, caller, offer.operation, args))
    return { content: [{ type: 'text', text: JSON.stringify(answer) }], structuredContent: answer }
  } catch (error) {
    if (error instanceof AppError) return refusalResult(error)
    core.report(error, caller)
    throw protocolError(rpc.internal, internal)
  }
}

function unknownTool(name: string): string {
  // Anything but a plain name is not repeated: it may be text of others, or a secret.
  const shown = /^[a-z_]{1,40}$/.test(name) ? ` ${name}` : ''
  return `Unknown tool${shown}. tools/list names the tools there are.`
}
