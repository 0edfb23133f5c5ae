import type { IncomingMessage } from 'node:http'
import type { AuthInfo, McpHttpHandler } from '@modelcontextprotocol/server'
import { fixedHeaders } from '../../http/answer.ts'
import { mostWaiting } from '../../http/exchange.ts'
import type { Delivery } from '../visit.ts'

/** Headers the protocol gives a meaning; the credential is none of them. */
const known = /^(mcp-.*|accept|content-type|host)$/

/** Hands a request to the SDK's handler and its answer to the client. */
export async function passOn(
  handler: McpHttpHandler,
  { request, response, message }: Delivery,
  authInfo: AuthInfo,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => response.writableEnded || gone.abort())
  const asked = new Request('http://localhost/mcp', {
    method: 'POST',
    headers: headersOf(request),
    signal: gone.signal,
  })
  const answer = await handler.fetch(asked, { authInfo, parsedBody: message })
  if (response.destroyed || response.headersSent) return
  response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), ...fixedHeaders })
  if (answer.headers.get('content-type') !== 'text/event-stream') {
    response.end(await answer.text())
    return
  }
  response.flushHeaders()
  for await (const chunk of answer.body ?? []) {
    if (response.destroyed) return
    response.write(chunk)
    // To wait for who does not read would let the SDK gather the rest without end.
    if (response.writableLength > mostWaiting) {
      response.destroy()
      return
    }
  }
  response.end()
}

function headersOf({ headers }: IncomingMessage): Headers {
  const passed = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    if (known.test(name) && typeof value === 'string') passed.set(name, value)
  }
  return passed
}
