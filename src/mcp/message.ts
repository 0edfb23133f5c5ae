import { isUtf8 } from 'node:buffer'
import { scanJson } from '../domain/json-scan.ts'
import {
  asMessage,
  isObject,
  isRequest,
  objectIn,
  type RequestId,
  type RpcMessage,
  type RpcRequest,
} from '../http/messages.ts'
import { rpc, rpcError } from '../http/rpc.ts'

/** Longest message, bytes (security R24). */
export const longestMessage = 256 * 1024

type Read = { message: RpcMessage } | { refusal: ReturnType<typeof rpcError> }

/** One JSON-RPC message out of its bytes, bounded before it is parsed (security R24), or the answer that refuses it. */
export function readMessage(bytes: Buffer): Read {
  if (scanJson(bytes, { depth: 32, members: 1_000 }) !== 'ok') {
    return refused(rpc.request, 'A message has at most 32 levels and 1000 members.')
  }
  if (!isUtf8(bytes)) return refused(rpc.parse, 'The message is not valid UTF-8.')
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch {
    return refused(rpc.parse, 'The message is not valid JSON.')
  }
  return checkMessage(parsed)
}

/** The message if a parsed value is one; batches are none. */
export function checkMessage(parsed: unknown): Read {
  if (Array.isArray(parsed))
    return refused(rpc.request, 'Batches are not answered; send one message at a time.')
  const message = asMessage(parsed)
  if (message !== undefined && isRequest(message) && !isAnswerable(message)) {
    const why = 'A request has jsonrpc, id, method and params alone, and a params._meta of its form.'
    return refused(rpc.request, why, message.id)
  }
  if (message !== undefined) return { message }
  return refused(rpc.request, 'This is not a JSON-RPC 2.0 message.', idOf(parsed))
}

const members = ['jsonrpc', 'id', 'method', 'params']

/** What the SDKs take for no request they drop, and whoever sent it would wait for ever. */
function isAnswerable(request: RpcRequest): boolean {
  if (Object.keys(request).some((name) => !members.includes(name))) return false
  const { params = {} } = request
  if (params['_meta'] === undefined) return true
  if (!isObject(params['_meta'])) return false
  const { progressToken: token, [relatedTask]: task } = params['_meta']
  const isToken = token === undefined || typeof token === 'string' || Number.isSafeInteger(token)
  return (
    isToken && (task === undefined || typeof objectIn(params['_meta'], relatedTask)['taskId'] === 'string')
  )
}

const relatedTask = 'io.modelcontextprotocol/related-task'

function refused(code: number, message: string, id: RequestId | null = null): Read {
  return { refusal: rpcError(code, message, id) }
}

function idOf(parsed: unknown): RequestId | null {
  const id = isObject(parsed) ? parsed['id'] : undefined
  return typeof id === 'string' || typeof id === 'number' ? id : null
}
