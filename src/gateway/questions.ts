import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { RpcAnswer, RpcNotification, RpcRequest } from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import { failure } from './faults.ts'
import type { Party } from './link.ts'

/** What a server asks its clients, until they answer. */
export interface Questions {
  /** Notes a question for a party, and answers it under the id the party gets; else the answer that refuses it. */
  ask(party: Party | undefined, request: RpcRequest): { told: RpcRequest } | { refused: RpcAnswer }
  /** A party's answer under the id the server knows; undefined if it was not asked. */
  answer(party: Party, answer: RpcAnswer): RpcAnswer | undefined
  /** Whoever was asked what the server takes back, and how it is told of that. */
  takeBack(notification: RpcNotification): { party: Party; told: RpcNotification }[]
  /** Forgets a party; what the server is answered in its stead. */
  leave(party: Party): RpcAnswer[]
}

/** Questions of a server that are not answered yet. */
const most = 100

/** Keeps who was asked what; `nextId` makes ids that are unique in the process. */
export function makeQuestions(nextId: () => string): Questions {
  const open = new Map<string, { id: RequestId; party: Party }>()
  return {
    ask(party, request) {
      if (party?.asks !== true || open.size >= most)
        return { refused: failure(request.id, rpc.method, 'The client cannot be asked this.') }
      const id = nextId()
      open.set(id, { id: request.id, party })
      return { told: { ...request, id } }
    },
    answer(party, answer) {
      const question = open.get(String(answer.id))
      if (question === undefined || question.party !== party) return undefined
      open.delete(String(answer.id))
      return { ...answer, id: question.id }
    },
    takeBack(notification) {
      return [...open].flatMap(([requestId, { id, party }]) => {
        if (id !== notification.params?.['requestId']) return []
        open.delete(requestId)
        return [{ party, told: { ...notification, params: { ...notification.params, requestId } } }]
      })
    },
    leave(party) {
      return [...open].flatMap(([id, question]) => {
        if (question.party !== party) return []
        open.delete(id)
        return [failure(question.id, rpc.cancelled, 'The client is gone.')]
      })
    },
  }
}
