import type { IncomingMessage, ServerResponse } from 'node:http'
import { unauthenticated } from '../core/authenticate.ts'
import { answerWith, type Exchange, openExchange } from '../http/exchange.ts'
import { objectIn } from '../http/messages.ts'
import { rpcRefusal } from '../http/rpc.ts'
import { codeMember } from './refusals.ts'
import type { Delivery } from './visit.ts'

/** The answer to a request that brings a message. */
export function exchangeOf({ request, response, caller }: Delivery, sessionId?: string): Exchange {
  const { actor } = caller
  const isPredecessor = 'predecessor' in actor && actor.predecessor
  // A predecessor's refusal is a status, which a stream could not carry any more.
  const streams = !isPredecessor && request.headers.accept?.includes('text/event-stream') === true
  const headers: Record<string, string> = sessionId === undefined ? {} : { 'mcp-session-id': sessionId }
  const exchange = openExchange(request, response, { streams, headers })
  return isPredecessor ? refusing(exchange, request, response) : exchange
}

/** Only a predecessor gets as far as an answer and no further; it is told what everybody without a credential is (security R44). */
function refusing(exchange: Exchange, request: IncomingMessage, response: ServerResponse): Exchange {
  return {
    ...exchange,
    answer(message, status) {
      const told = message as Record<string, unknown>
      const facts = [objectIn(objectIn(told, 'result'), '_meta'), objectIn(objectIn(told, 'error'), 'data')]
      if (!facts.some((one) => one[codeMember] === 'unauthenticated')) return exchange.answer(message, status)
      const { status: refused, body, headers } = rpcRefusal(unauthenticated('invalid_token'), '', true)
      answerWith(request, response, refused, body, headers)
    },
  }
}
