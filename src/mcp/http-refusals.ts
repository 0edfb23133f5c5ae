import type { Context } from 'hono'
import { AppError, type ErrorCode } from '../core/errors.ts'
import { bearerOf } from '../http/bearer.ts'
import { nativeError } from '../http/errors.ts'
import type { Family } from '../http/server.ts'
import type { HttpEnv } from '../http/types.ts'
import { internal, rpc, rpcError } from './refusals.ts'

/** The refusals that MCP endpoints word alike whatever the cause (mctx contract, section 9; security R33). */
const fixed: Partial<Record<ErrorCode, [number, string]>> = {
  unauthenticated: [-32001, 'Unauthorized'],
  forbidden: [-32003, 'Forbidden'],
  ip_not_allowed: [-32003, 'IP Not Allowed'],
  rate_limited: [-32029, 'Too Many Requests'],
  internal: [rpc.internal, internal],
}

const coded: Partial<Record<ErrorCode, number>> = { invalid_input: rpc.parse, unavailable: rpc.internal }

/** A request that was refused before any message of it was answered, as JSON-RPC without an id. */
export function refusedRequest(c: Context<HttpEnv>, error: unknown): Response {
  const { status, body, headers } = worded(error, c.get('requestId'), bearerOf(c.env.incoming).sent)
  return jsonAnswer(status, body, headers)
}

/** The MCP endpoint, for what the server refuses before the endpoint is asked: a foreign Host or Origin, too long a URL. */
export const mcpFamily: Family = {
  owns: (path) => path === '/mcp' || path.startsWith('/mcp/'),
  refusal: (error, requestId) => worded(error, requestId, false),
}

function worded(error: unknown, requestId: string, sent: boolean) {
  const known = error instanceof AppError ? error : new AppError('internal', internal)
  const { status, headers } = nativeError(known, requestId, sent)
  const [code, message] = fixed[known.code] ?? [coded[known.code] ?? rpc.request, known.message]
  return { status, body: rpcError(code, message), headers: known.code === 'forbidden' ? {} : headers }
}

/** A JSON-RPC error with the HTTP status of the transport's own rules. */
export function refusedBy(
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return jsonAnswer(status, rpcError(code, message), headers)
}

/** An answer as one JSON body. */
export function jsonAnswer(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  })
}
