import { AppError, type ErrorCode } from '../core/errors.ts'
import type { Answer } from './answer.ts'
import { nativeError } from './errors.ts'

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

/** A JSON-RPC error of a message that cannot be, or may not be, answered by its id. */
export function rpcError(code: number, message: string, id: string | number | null = null) {
  return { jsonrpc: '2.0' as const, error: { code, message }, id }
}

/** The refusals that MCP endpoints word alike whatever the cause (mctx contract, section 9; security R33). */
const fixed: Partial<Record<ErrorCode, [number, string]>> = {
  unauthenticated: [-32001, 'Unauthorized'],
  forbidden: [-32003, 'Forbidden'],
  ip_not_allowed: [-32003, 'IP Not Allowed'],
  rate_limited: [-32029, 'Too Many Requests'],
  internal: [rpc.internal, internal],
}

const coded: Partial<Record<ErrorCode, number>> = { invalid_input: rpc.parse, unavailable: rpc.internal }

/** The number clients of the protocol know for a session that is not there; it never comes with 401. */
const noSession = -32001

function codeOf({ code, entity, reason }: AppError): number {
  if (entity === 'session') return noSession
  return reason === 'rpc' ? rpc.request : (coded[code] ?? rpc.request)
}

/** A request to an MCP endpoint that was refused before any message of it was answered: JSON-RPC without an id. */
export function rpcRefusal(error: unknown, requestId: string, tokenSent: boolean): Answer {
  const known = error instanceof AppError ? error : new AppError('internal', internal)
  const { status, headers } = nativeError(known, requestId, tokenSent)
  const [code, message] = fixed[known.code] ?? [codeOf(known), known.message]
  return { status, body: rpcError(code, message), headers: known.code === 'forbidden' ? {} : headers }
}
