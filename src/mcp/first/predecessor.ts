import type { IncomingMessage, ServerResponse } from 'node:http'
import { unauthenticated } from '../../core/authenticate.ts'
import { answerWith, type Exchange } from '../../http/exchange.ts'
import { objectIn } from '../../http/messages.ts'
import { rpcRefusal } from '../../http/rpc.ts'
import { codeMember } from '../refusals.ts'

/** Only a predecessor gets as far as an answer and no further; it is told what everybody without a credential is (security R44). */
export function refusingPredecessor(
  exchange: Exchange,
  request: IncomingMessage,
  response: ServerResponse,
): Exchange {
  return {
    ...exchange,
    answer(message) {
      const result = objectIn(message as Record<string, unknown>, 'result')
      if (objectIn(result, '_meta')[codeMember] !== 'unauthenticated') return exchange.answer(message)
      const { status, body, headers } = rpcRefusal(unauthenticated('invalid_token'), '', true)
      answerWith(request, response, status, body, headers)
    },
  }
}
