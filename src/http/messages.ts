/** An id of a request. */
export type RequestId = string | number

/** JSON-RPC as it passes: whatever a member holds stays as it is. */
export interface RpcRequest {
  jsonrpc: '2.0'
  id: RequestId
  method: string
  params?: Record<string, unknown>
}

export interface RpcNotification {
  jsonrpc: '2.0'
  method: string
  params?: Record<string, unknown>
}

export interface RpcResult {
  jsonrpc: '2.0'
  id: RequestId
  result: Record<string, unknown>
}

export interface RpcFailure {
  jsonrpc: '2.0'
  id: RequestId
  error: { code: number; message: string; data?: unknown }
}

export type RpcAnswer = RpcResult | RpcFailure
export type RpcMessage = RpcRequest | RpcNotification | RpcAnswer

/** A parsed value as a message, if it is one; batches are none. */
export function asMessage(value: unknown): RpcMessage | undefined {
  if (!isObject(value) || value['jsonrpc'] !== '2.0') return undefined
  const { id, method, params, result, error } = value
  if (method !== undefined) {
    if (typeof method !== 'string' || method === '' || result !== undefined || error !== undefined)
      return undefined
    if (params !== undefined && !isObject(params)) return undefined
    return id === undefined || isId(id) ? (value as unknown as RpcMessage) : undefined
  }
  if (!isId(id)) return undefined
  if (isObject(result)) return error === undefined ? (value as unknown as RpcResult) : undefined
  const fails = isObject(error) && typeof error['code'] === 'number' && typeof error['message'] === 'string'
  return fails && result === undefined ? (value as unknown as RpcFailure) : undefined
}

export function isRequest(message: RpcMessage): message is RpcRequest {
  return 'method' in message && 'id' in message
}

export function isAnswer(message: RpcMessage): message is RpcAnswer {
  return !('method' in message)
}

/** True for an object that is no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object behind a member, an empty one if there is none. */
export function objectIn(
  value: Record<string, unknown> | undefined,
  member: string,
): Record<string, unknown> {
  const found = value?.[member]
  return isObject(found) ? found : {}
}

function isId(value: unknown): value is RequestId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value))
}
