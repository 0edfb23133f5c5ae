import { scanJson } from '../domain/json-scan.ts'
import { asMessage, type RpcMessage } from '../http/messages.ts'

/** The most bytes that one message of an upstream may hold. */
export const messageLimit = 8 * 1024 * 1024

/** Deep enough for everybody, and far from what would not be written again without running out of stack. */
const bounds = { depth: 64, members: 200_000 }

/**
 * The messages in a JSON text, one or a batch; `too_large` = it is bounded before it is parsed, and is beyond that;
 * undefined = anything in it is no message.
 */
export function readMessages(bytes: Buffer): RpcMessage[] | 'too_large' | undefined {
  if (scanJson(bytes, bounds) !== 'ok') return 'too_large'
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
  if (!Array.isArray(value)) {
    const message = asMessage(value)
    return message === undefined ? undefined : [message]
  }
  const messages = value.map(asMessage)
  return messages.length > 0 && messages.every((message) => message !== undefined) ? messages : undefined
}
