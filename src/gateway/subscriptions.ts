import type { RpcAnswer, RpcRequest } from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import { failure } from './faults.ts'
import type { Party } from './link.ts'

/** Which resources of a server the clients want to hear of. */
export interface Subscriptions {
  /** Who subscribed to a resource. */
  of(uri: unknown): Party[]
  /** Keeps what a request of a party asks for. Answers it where the server need not hear of it. */
  answer(party: Party, request: RpcRequest): RpcAnswer | undefined
  leave(party: Party): void
}

/** Resources of one server that a client subscribes to at most. */
const most = 1_000

/** Keeps who subscribed to what, where several clients are one to their server. */
export function makeSubscriptions(): Subscriptions {
  const wanted = new Map<Party, Set<unknown>>()

  function subscribed(party: Party, { id, params }: RpcRequest): RpcAnswer | undefined {
    const uris = wanted.get(party) ?? new Set()
    if (uris.size >= most && !uris.has(params?.['uri']))
      return failure(id, rpc.params, `One client subscribes to at most ${most} resources of a server.`)
    wanted.set(party, uris.add(params?.['uri']))
    return undefined
  }

  function unsubscribed(party: Party, { id, params }: RpcRequest): RpcAnswer | undefined {
    wanted.get(party)?.delete(params?.['uri'])
    // Others still want it.
    return of(params?.['uri']).length > 0 ? { jsonrpc: '2.0', id, result: {} } : undefined
  }

  function of(uri: unknown): Party[] {
    return [...wanted].flatMap(([party, uris]) => (uris.has(uri) ? [party] : []))
  }

  return {
    of,
    answer(party, request) {
      if (request.method === 'resources/subscribe') return subscribed(party, request)
      return request.method === 'resources/unsubscribe' ? unsubscribed(party, request) : undefined
    },
    leave: (party) => void wanted.delete(party),
  }
}
