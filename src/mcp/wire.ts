import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  isJSONRPCRequest,
  type JSONRPCMessage,
  type MessageExtraInfo,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import { internal, rpc, rpcError } from '../http/rpc.ts'

/** A transport that leaves no request without an answer. */
export interface Wire extends Transport {
  /** Ids of the requests that have no answer yet. */
  readonly pending: ReadonlySet<RequestId>
  /** Answers every open request with an error, so that closing leaves nobody waiting. */
  settle(): Promise<void>
}

const unsure = 'It may have been carried out; read the current state before you repeat it.'

/**
 * Settles what the SDK would leave open: calls the client cancels, and calls in flight when the connection ends
 * (security R17, F17). The work itself goes on to its end; only its answer is given up.
 */
export function makeWire(inner: Transport): Wire {
  const pending = new Set<RequestId>()

  async function giveUp(id: RequestId, code: number, why: string): Promise<void> {
    if (!pending.delete(id)) return
    // The other side may be gone already, and then nobody waits.
    await inner.send(rpcError(code, `${why} ${unsure}`, id) as JSONRPCMessage).catch(() => undefined)
  }

  const wire: Wire = {
    pending,
    get sessionId() {
      return inner.sessionId
    },
    async start() {
      inner.onclose = () => wire.onclose?.()
      inner.onerror = (error) => wire.onerror?.(error)
      inner.onmessage = (message: JSONRPCMessage, extra?: MessageExtraInfo) => {
        if (isJSONRPCRequest(message)) pending.add(message.id)
        wire.onmessage?.(message, extra)
        const id = cancelledBy(message)
        if (id !== undefined) void giveUp(id, rpc.cancelled, 'The call was cancelled.')
      }
      await inner.start()
    },
    async send(message, options) {
      // The late answer of a call that was given up.
      if (isAnswer(message) && !pending.delete(message.id)) return
      await inner.send(told(message), options)
    },
    async settle() {
      await Promise.all(
        [...pending].map((id) => giveUp(id, rpc.closed, 'The connection was closed during the call.')),
      )
    },
    async close() {
      await wire.settle()
      await inner.close()
    },
  }
  return wire
}

/** Resolves when none of the wires has an open request, or when `patience` ms are over. */
export function drained(wires: () => Iterable<Wire>, patience: number): Promise<void> {
  const until = Date.now() + patience
  return new Promise((resolve) => {
    function look(): void {
      const busy = [...wires()].some(({ pending }) => pending.size > 0)
      if (busy && Date.now() < until) setTimeout(look, 10)
      else resolve()
    }
    look()
  })
}

function cancelledBy(message: JSONRPCMessage): RequestId | undefined {
  if (!('method' in message) || message.method !== 'notifications/cancelled') return undefined
  const id = message.params?.['requestId']
  return typeof id === 'string' || typeof id === 'number' ? id : undefined
}

function isAnswer(message: JSONRPCMessage): message is JSONRPCMessage & { id: RequestId } {
  return !('method' in message) && 'id' in message
}

/** The SDK puts the text of its own exceptions into answers; they are about parameters it could not read (security F13). */
function told(message: JSONRPCMessage): JSONRPCMessage {
  if (!('error' in message) || message.error.code !== rpc.internal || message.error.message === internal)
    return message
  return { ...message, error: { code: rpc.params, message: 'The parameters of this method are not valid.' } }
}
