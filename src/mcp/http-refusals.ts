import type { Context } from 'hono'
import { bearerOf } from '../http/bearer.ts'
import { rpcError, rpcRefusal } from '../http/rpc.ts'
import type { Family } from '../http/server.ts'
import type { HttpEnv } from '../http/types.ts'

/** A request that was refused before any message of it was answered, as JSON-RPC without an id. */
export function refusedRequest(c: Context<HttpEnv>, error: unknown): Response {
  const { status, body, headers } = rpcRefusal(error, c.get('requestId'), bearerOf(c.env.incoming).sent)
  return jsonAnswer(status, body, headers)
}

/** The MCP endpoint, for what the server refuses before the endpoint is asked: a foreign Host or Origin, too long a URL. */
export const mcpFamily: Family = {
  owns: (path) => path === '/mcp' || path.startsWith('/mcp/'),
  refusal: (error, requestId) => rpcRefusal(error, requestId, false),
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
