import type { RpcAnswer } from '../http/messages.ts'
import { UpstreamFault } from './conduit.ts'
import type { Link, Party } from './link.ts'

/** A request that the gateway makes itself. */
export interface OwnRequest {
  method: string
  params: Record<string, unknown>
  /** The token it is made for; null = no token's. */
  holder: string | null
  /** How long its answer may take, ms. */
  patience: number
}

/**
 * The server's answer to a request of the gateway's own. Rejects with `UpstreamFault` where the link is lost, or it takes
 * too long.
 */
export function askServer(link: Link, { method, params, holder, patience }: OwnRequest): Promise<RpcAnswer> {
  let timer: NodeJS.Timeout | undefined
  const answer = new Promise<RpcAnswer>((resolve, reject) => {
    const party: Party = {
      holder,
      asks: false,
      hear: (_, message) => ('method' in message ? undefined : resolve(message)),
      // What is ours is never told by its code: a server can write that as well.
      failed: reject,
      lost: (_, fault) => reject(fault),
    }
    timer = setTimeout(() => {
      // Nobody may cancel `initialize`, and what it opens is closed in any case.
      if (method !== 'initialize') link.leave(party)
      reject(new UpstreamFault('timeout', `no answer to ${method} in ${patience} ms`))
    }, patience)
    link.call(party, { jsonrpc: '2.0', id: 0, method, params })
  })
  return answer.finally(() => clearTimeout(timer))
}
