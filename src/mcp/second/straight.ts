import {
  CLIENT_CAPABILITIES_META_KEY,
  type JSONRPCRequest,
  PerRequestHTTPServerTransport,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server'
import { isAnswer, isObject, objectIn, type RpcMessage } from '../../http/messages.ts'
import { rpc } from '../../http/rpc.ts'
import { exchangeOf } from '../answering.ts'
import type { Surface } from '../surface.ts'
import type { Delivery } from '../visit.ts'
import { authInfo } from './caller.ts'
import { makeSecond, revision, type SecondBinding } from './server.ts'

/** The member of the parameters that the header Mcp-Name repeats. */
const named: Record<string, string> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' }

/**
 * Whether a request is plainly right: of our revision, for a method of ours, with headers that say what the body says. What
 * is not goes through the SDK's own entry, which finds out why and words the refusal.
 */
export function isPlain(surface: Surface, { request, message }: Delivery): boolean {
  if (!('method' in message && 'id' in message) || !surface.methods.has(message.method)) return false
  const { headers } = request
  const params = isObject(message.params) ? message.params : {}
  const meta = objectIn(params, '_meta')
  if (meta[PROTOCOL_VERSION_META_KEY] !== revision || !isObject(meta[CLIENT_CAPABILITIES_META_KEY]))
    return false
  if (headers['mcp-protocol-version'] !== revision || headers['mcp-method'] !== message.method) return false
  const member = named[message.method]
  return member === undefined || headers['mcp-name'] === params[member]
}

/**
 * Serves one request by a server of its own, over a transport that writes to Node's response: one JSON body, or a stream once
 * something comes before the answer. The SDK's entry builds web requests, responses and streams around the same server, which
 * cost several times as much as all the rest.
 */
export async function serveStraight(
  surface: Surface,
  binding: SecondBinding,
  delivery: Delivery,
): Promise<void> {
  const { response } = delivery
  const classification = { era: 'modern', revision } as const
  const transport = new PerRequestHTTPServerTransport({ classification })
  const exchange = exchangeOf(delivery)
  let dispatching = true
  let answered = false
  transport.send = async (sent) => {
    const message = sent as RpcMessage
    if (!isAnswer(message)) return void exchange.send(message)
    answered = true
    exchange.answer(message, 'error' in message ? statusOf(message.error.code, dispatching) : 200)
  }
  const server = makeSecond(briefly(surface), binding)
  await server.connect(transport)
  // Whoever closes the connection gives up the call.
  const over = new Promise<void>((resolve) => {
    response.once('close', () => {
      if (!answered) void server.close()
      resolve()
    })
  })
  transport.onmessage?.(delivery.message as JSONRPCRequest, {
    classification,
    authInfo: authInfo(delivery.caller),
  })
  dispatching = false
  await over
}

/** Every answer of this era says who gives it; the drawing of the server is told by `server/discover` alone. */
function briefly(surface: Surface): Surface {
  const { icons: _, ...info } = surface.info
  return { ...surface, info }
}

/** What is wrong with the request itself is said by the status as well; what its method refuses is not. */
function statusOf(code: number, dispatching: boolean): number {
  if (code === missingAbility) return 400
  if (!dispatching) return 200
  return code === rpc.method ? 404 : 400
}

/** MissingRequiredClientCapability of the revision. */
const missingAbility = -32021
