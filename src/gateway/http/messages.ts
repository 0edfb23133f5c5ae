import type { JSONRPCMessage, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'

/** The most that one message of an upstream may hold. */
export const messageLimit = 8 * 1024 * 1024

/** The messages in a JSON text, one or an array of them; undefined if anything in it is none. */
export function readMessages(text: string): JSONRPCMessage[] | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const messages = Array.isArray(value) ? value : [value]
  return messages.length > 0 && messages.every(isMessage) ? messages : undefined
}

/** Only the frame is looked at: what is inside is between the two ends. */
function isMessage(value: unknown): value is JSONRPCMessage {
  if (!isObject(value) || value['jsonrpc'] !== '2.0') return false
  const { id, method, result, error } = value
  if (id !== undefined && typeof id !== 'string' && typeof id !== 'number') return false
  if (method !== undefined) return typeof method === 'string' && result === undefined && error === undefined
  if (id === undefined) return false
  return isObject(result) ? error === undefined : result === undefined && isObject(error)
}

/** Whether a message waits for an answer. */
export function isRequest(message: JSONRPCMessage): message is JSONRPCRequest {
  return 'method' in message && 'id' in message
}

/** Whether a message is the answer to the request with this id. */
export function answers(message: JSONRPCMessage, id: RequestId): boolean {
  return !('method' in message) && message.id === id
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
