import type { IncomingMessage } from 'node:http'
import { canonicalIp, ipAllowed } from '../domain/ip-range.ts'
import { headerValues } from './bearer.ts'

/**
 * The client's address: the socket's peer or, where that is a trusted proxy, the first hop of X-Forwarded-For
 * from the right that is none (security R27). Null if a hop cannot be read: then address-bound credentials fail.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: readonly string[]): string | null {
  const peer = canonicalIp(request.socket.remoteAddress ?? '') ?? null
  if (trustedProxies.length === 0 || peer === null || !ipAllowed(trustedProxies, peer)) return peer
  const hops = headerValues(request, 'x-forwarded-for').flatMap((value) => value.split(','))
  let nearest: string | null = peer
  for (const hop of hops.reverse()) {
    nearest = canonicalIp(hop.trim()) ?? null
    if (nearest === null || !ipAllowed(trustedProxies, nearest)) return nearest
  }
  return nearest
}
