import type { IncomingMessage, ServerResponse } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { identityOf } from 'tokenwright/guard'
import { z } from 'zod'

/** An MCP server with two tools, which knows nothing of tokens but who is calling. */
export function weatherServer(): McpServer {
  const server = new McpServer({ name: 'weather', version: '1.0.0' })
  server.registerTool(
    'get_forecast',
    { description: 'The weather of tomorrow.', inputSchema: { city: z.string() } },
    ({ city }) => ({ content: [{ type: 'text', text: `Tomorrow in ${city}: sun.` }] }),
  )
  server.registerTool('whoami', { description: 'Whose token this is.' }, ({ authInfo }) => ({
    content: [{ type: 'text', text: JSON.stringify(identityOf(authInfo)) }],
  }))
  return server
}

/** Answers one request by a server of its own, so that no two callers ever share one. */
export async function answer(request: IncomingMessage, response: ServerResponse, body?: unknown) {
  if (request.method !== 'POST') return response.writeHead(405, { allow: 'POST' }).end()
  const server = weatherServer()
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
  response.on('close', () => void server.close())
  await server.connect(transport as Transport)
  return transport.handleRequest(request, response, body)
}
