import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Exchange, Stream } from '../http/exchange.ts'
import { isAnswer, isRequest, type RpcAnswer, type RpcMessage } from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import type { UpstreamFault } from './conduit.ts'
import { failure } from './faults.ts'
import type { Link, Party } from './link.ts'

/** A request of a client that waits for its answer. */
export interface OpenCall {
  exchange: Exchange
  /** What the client is told of the server's answer; never throws. */
  finish(answer: RpcAnswer): RpcAnswer
  /** It waits no more. */
  settled(): void
}

/** One client's side: a session, or a single request without one. */
export interface Conversation extends Party {
  readonly calls: ReadonlyMap<RequestId, OpenCall>
  /** The stream for messages that belong to no request. */
  readonly standing: Stream | undefined
  /** Keeps a request open until its answer came. */
  open(id: RequestId, call: OpenCall): void
  /** The stream for messages that belong to no request; what waited for it is sent first. */
  stand(stream: Stream | undefined): void
  /** The client's answer to a request of a server; false if nobody asked. */
  reply(answer: RpcAnswer): boolean
  /** Answers everything that waits and ends the streams. */
  end(why: string): void
}

export interface ConversationOptions {
  holder: string
  asks: boolean
  /** A session keeps what no stream takes now; a request that stands alone has nobody to tell it to. */
  keeps: boolean
  /** What the client is told of a message that answers nothing; undefined = nothing. */
  outgoing(link: Link, message: RpcMessage): RpcMessage | undefined
  /** What a server is told of the client's answer to its request. */
  incoming(link: Link, answer: RpcAnswer): RpcAnswer
  lost(link: Link, fault: UpstreamFault): void
}

/** Messages kept for a stream that is not there yet, and characters of them. */
const mostKept = 64
const mostKeptText = 1024 * 1024

/** Routes what servers say to the stream of the client it belongs to. */
export function makeConversation(options: ConversationOptions): Conversation {
  const { holder, asks, keeps, outgoing, incoming, lost } = options
  const calls = new Map<RequestId, OpenCall>()
  const asked = new Map<RequestId, Link>()
  let standing: Stream | undefined
  let kept: RpcMessage[] = []
  let keptText = 0

  function answer(message: RpcAnswer, call: RequestId | undefined): void {
    const open = call === undefined ? undefined : calls.get(call)
    if (call === undefined || open === undefined) return
    calls.delete(call)
    open.settled()
    open.exchange.answer(open.finish(message))
  }

  function deliver(message: RpcMessage, call: RequestId | undefined): boolean {
    const own = call === undefined ? undefined : calls.get(call)
    if (own?.exchange.send(message) === true) return true
    if (standing?.send(message) === true) return true
    if (isRequest(message)) for (const { exchange } of calls.values()) if (exchange.send(message)) return true
    if (!keeps || kept.length >= mostKept) return false
    const { length } = JSON.stringify(message)
    if (keptText + length > mostKeptText) return false
    keptText += length
    kept.push(message)
    return true
  }

  const conversation: Conversation = {
    holder,
    asks,
    calls,
    get standing() {
      return standing
    },
    open: (id, call) => void calls.set(id, call),
    hear(link, message, call) {
      if (isAnswer(message)) return void answer(message, call)
      const told = outgoing(link, message)
      if (!isRequest(message)) {
        if (message.method === 'notifications/cancelled')
          asked.delete(message.params?.['requestId'] as RequestId)
        return void (told && deliver(told, call))
      }
      const id = message.id
      asked.set(id, link)
      if (told !== undefined && deliver(told, call)) return
      asked.delete(id)
      link.reply(conversation, failure(id, rpc.method, 'The client cannot be asked this.'))
    },
    lost(link, fault) {
      for (const [id, other] of asked) if (other === link) asked.delete(id)
      lost(link, fault)
    },
    stand(stream) {
      const older = standing
      standing = stream
      // Nothing would come on it any more, and nobody would end it with the session.
      older?.end()
      if (stream === undefined) return
      const waiting = kept
      kept = []
      keptText = 0
      for (const message of waiting) stream.send(message)
    },
    reply(message) {
      const link = asked.get(message.id)
      if (link === undefined) return false
      asked.delete(message.id)
      link.reply(conversation, incoming(link, message))
      return true
    },
    end(why) {
      for (const [id, { exchange, settled }] of calls) {
        settled()
        exchange.answer(failure(id, rpc.closed, why))
      }
      calls.clear()
      asked.clear()
      standing?.end()
    },
  }
  return conversation
}
