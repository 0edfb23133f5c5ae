import type { JSONRPCMessage, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'

/** Whether a message waits for an answer. */
export function isRequest(message: JSONRPCMessage): message is JSONRPCRequest {
  return 'method' in message && 'id' in message
}

/** Whether a message is the answer to the request with this id. */
export function answers(message: JSONRPCMessage, id: RequestId): boolean {
  return !('method' in message) && message.id === id
}
