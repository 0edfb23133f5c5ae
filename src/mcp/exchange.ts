import type { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import type { Context } from 'hono'
import { unauthenticated } from '../core/authenticate.ts'
import type { Caller } from '../core/context.ts'
import type { HttpEnv } from '../http/types.ts'
import { jsonAnswer } from './http-refusals.ts'
import { codeMember } from './refusals.ts'

const passedOn = ['mcp-session-id', 'mcp-protocol-version', 'last-event-id'] as const

/** Hands a request to the SDK: with the caller beside it, any Accept widened, and without the credential. */
export function handOn(
  c: Context<HttpEnv>,
  transport: WebStandardStreamableHTTPServerTransport,
  caller: Caller,
  message: JSONRPCMessage | undefined,
): Promise<Response> {
  const headers = new Headers()
  for (const name of passedOn) {
    const value = c.req.header(name)
    if (value !== undefined) headers.set(name, value)
  }
  if (message === undefined) headers.set('accept', c.req.header('accept') ?? '')
  else {
    headers.set('accept', 'application/json, text/event-stream')
    headers.set('content-type', 'application/json')
  }
  const request = new Request(c.req.url, { method: c.req.method, headers })
  const authInfo = { token: '', clientId: '', scopes: [], extra: { caller } }
  return transport.handleRequest(request, { authInfo, parsedBody: message })
}

/** The same answer as one JSON body, for clients that do not read streams; throws `unauthenticated` if that is what it says. */
export async function asJson(answer: Response): Promise<Response> {
  const text = await answer.text()
  if (text === '') return new Response(null, answer)
  const isStream = answer.headers.get('content-type') === 'text/event-stream'
  const body = JSON.parse(isStream ? lastEvent(text) : text)
  // Only a predecessor gets this far and no further; it is told what everybody without a credential is (security R44).
  if (body?.result?._meta?.[codeMember] === 'unauthenticated') throw unauthenticated()
  const session = answer.headers.get('mcp-session-id')
  return jsonAnswer(answer.status, body, session === null ? {} : { 'mcp-session-id': session })
}

/** The data of the last event of a finished stream; every event is one line, as JSON holds no line break. */
function lastEvent(stream: string): string {
  const at = stream.lastIndexOf('\ndata: ')
  return stream.slice(at + '\ndata: '.length).trimEnd()
}
