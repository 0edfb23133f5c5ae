import { z } from 'zod'
import { nativeErrorBody } from '../../http/errors.ts'
import type { Chapter, Described } from './described.ts'

const state = z.object({ status: z.enum(['ok', 'unavailable']) })
const message = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.int(), z.null()]).optional(),
  method: z.string().optional(),
})
const rpcError = message.omit({ method: true }).extend({
  error: z.object({ code: z.int(), message: z.string() }),
})

const process: Described[] = [
  {
    method: 'GET',
    path: '/health',
    id: 'health',
    summary: 'Is the process alive?',
    about: 'Answers while the process runs; it looks at nothing else.',
    public: true,
    answers: { 200: { about: 'It is.', schema: state } },
    refusals: [],
  },
  {
    method: 'GET',
    path: '/ready',
    id: 'ready',
    summary: 'Can it serve?',
    about: 'Asks the store.',
    public: true,
    answers: {
      200: { about: 'It can.', schema: state },
      503: { about: 'The store cannot be reached now.', schema: state },
    },
    refusals: [],
  },
  {
    method: 'GET',
    path: '/metrics',
    id: 'metrics',
    summary: 'Metrics for Prometheus',
    about: 'Needs system:read, unless the server was started with --metrics-public.',
    answers: { 200: { about: 'The exposition.', type: 'text/plain' } },
    refusals: [401, 403, 429],
  },
]

const refusals = [400, 401, 403, 404, 405, 429, 503]

const mcp: Described[] = [
  {
    method: 'POST',
    path: '/mcp',
    id: 'mcp_send',
    summary: 'Send a message of MCP',
    about: 'Streamable HTTP: one JSON-RPC message; in a session the answer comes as an event stream.',
    body: message,
    answers: {
      200: { about: 'The answer to a request.', schema: message },
      202: { about: 'A notification or an answer was taken.' },
    },
    refusals: [...refusals, 413, 415, 500].sort(),
  },
  {
    method: 'GET',
    path: '/mcp',
    id: 'mcp_listen',
    summary: 'Listen to a session of MCP',
    about: 'Opens the standing stream of the session that the header Mcp-Session-Id names.',
    answers: { 200: { about: 'Messages of the server.', type: 'text/event-stream' } },
    refusals,
  },
  {
    method: 'DELETE',
    path: '/mcp',
    id: 'mcp_end',
    summary: 'End a session of MCP',
    about: 'Ends the session that the header Mcp-Session-Id names.',
    answers: { 204: { about: 'Ended.' } },
    refusals,
  },
]

/** Routes that are neither operations nor of a dialect. */
export const plainChapters: Chapter[] = [
  {
    tag: 'MCP',
    about: 'The endpoint of MCP clients; its tools are the operations of the other chapters.',
    family: 'mcp',
    refusal: rpcError,
    routes: mcp,
  },
  { tag: 'Process', about: 'How the server does.', family: 'v1', refusal: nativeErrorBody, routes: process },
]
