import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
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

/** What failures are counted by: an IPv4 address, or the /64 of an IPv6 address, since one host has all of it. */
export function addressGroup(ip: string): string {
  if (isIP(ip) !== 6) return ip
  const [head = '', tail] = ip.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after].slice(0, 4).join(':')
}
