import { isUtf8 } from 'node:buffer'
import { scanJson } from '../domain/json-scan.ts'
import { asMessage, isObject, type RequestId, type RpcMessage } from '../http/messages.ts'
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
  if (message !== undefined) return { message }
  return refused(rpc.request, 'This is not a JSON-RPC 2.0 message.', idOf(parsed))
}

function refused(code: number, message: string, id: RequestId | null = null): Read {
  return { refusal: rpcError(code, message, id) }
}

function idOf(parsed: unknown): RequestId | null {
  const id = isObject(parsed) ? parsed['id'] : undefined
  return typeof id === 'string' || typeof id === 'number' ? id : null
}
