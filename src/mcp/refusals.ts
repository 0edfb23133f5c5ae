import type { AppError } from '../core/errors.ts'

/** The member of a tool result's `_meta` that holds the code of a refusal, for programs. */
export const codeMember = 'tokenwright/code'

/** The codes of JSON-RPC that we answer with. */
export const rpc = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
  closed: -32000,
  cancelled: -32800,
} as const

/** The text of a fault of ours; the log has the rest. */
export const internal = 'Internal error'

/** An error of the protocol; a plain one, because the SDK's own class writes its code into the text a second time. */
export function protocolError(code: number, message: string): Error & { code: number } {
  return Object.assign(new Error(message), { code })
}

/** A refusal as the model reads it: the code and one sentence; nothing else of the error leaves the process (security R32). */
export function refusalResult({ code, message }: AppError) {
  const text = message.startsWith(code) ? message : `${code}: ${message}`
  return { isError: true, content: [{ type: 'text', text }], _meta: { [codeMember]: code } }
}

/** A JSON-RPC error of a message that cannot be, or may not be, answered by its id. */
export function rpcError(code: number, message: string, id: string | number | null = null) {
  return { jsonrpc: '2.0' as const, error: { code, message }, id }
}
