import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage, MessageExtraInfo } from '@modelcontextprotocol/sdk/types.js'
import type { Exchange, Stream } from '../../http/exchange.ts'
import { isAnswer, type RequestId, type RpcMessage } from '../../http/messages.ts'

/** A transport over HTTP: each answer goes out with its own request, and what belongs to none on the standing stream. */
export interface Channel extends Transport {
  /** Hands a request to the server; its answer ends the exchange. */
  ask(id: RequestId, message: RpcMessage, exchange: Exchange, extra: MessageExtraInfo): void
  /** Hands over what has no answer. */
  tell(message: RpcMessage, extra: MessageExtraInfo): void
  /** Where messages go that belong to no request; a newer stream takes the place of an older one. */
  stand(stream: Stream | undefined): void
  readonly standing: Stream | undefined
}

/** The transport of one session or of one lone request. */
export function makeChannel(): Channel {
  const exchanges = new Map<RequestId, Exchange>()
  let standing: Stream | undefined
  const channel: Channel = {
    start: async () => undefined,
    async send(message: JSONRPCMessage, options?: TransportSendOptions) {
      const outgoing = message as RpcMessage
      if (isAnswer(outgoing)) {
        exchanges.get(outgoing.id)?.answer(outgoing)
        exchanges.delete(outgoing.id)
        return
      }
      const related = options?.relatedRequestId
      const sent = related === undefined ? standing?.send(outgoing) : exchanges.get(related)?.send(outgoing)
      // Nobody would answer a question that reached nobody.
      if (sent !== true && 'id' in outgoing) throw new Error('the client reads no stream')
    },
    async close() {
      standing?.end()
      standing = undefined
      exchanges.clear()
      channel.onclose?.()
    },
    ask(id, message, exchange, extra) {
      exchanges.set(id, exchange)
      channel.onmessage?.(message as JSONRPCMessage, extra)
    },
    tell: (message, extra) => channel.onmessage?.(message as JSONRPCMessage, extra),
    stand(stream) {
      if (standing !== stream) standing?.end()
      standing = stream
    },
    get standing() {
      return standing
    },
  }
  return channel
}
