import { BlockList, isIP } from 'node:net'
import { canonicalIp } from './ip-range.ts'

/** Of IPv4, what the registries of IANA keep for special purposes, and what clouds answer their guests on. */
const special4: [address: string, prefix: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // The agent of the host on Azure; it looks public, and is another thing to every machine.
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/** Of the global unicast range 2000::/3, what is not: protocols, Teredo, 6to4, documentation. */
const special6: [address: string, prefix: number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const blocked4 = listOf(special4, 'ipv4')
const blocked6 = listOf(special6, 'ipv6')
const global6 = listOf([['2000::', 3]], 'ipv6')
const translated6 = listOf([['64:ff9b::', 96]], 'ipv6')

/**
 * Whether an address is one of the public internet (security.md R36). A v4-mapped or NAT64 address counts as the v4
 * address in it; v4-compatible and 6to4 addresses, which nobody uses any more, never count, and neither does what is no
 * address.
 */
export function isPublicAddress(ip: string): boolean {
  const address = canonicalIp(ip)
  if (address === undefined) return false
  if (isIP(address) === 4) return !blocked4.check(address, 'ipv4')
  if (translated6.check(address, 'ipv6')) return isPublicAddress(embedded(address))
  return global6.check(address, 'ipv6') && !blocked6.check(address, 'ipv6')
}

/** The v4 address in the last 32 bits of a NAT64 address, by way of the mapped address that holds the same. */
function embedded(address: string): string {
  const tail = address.slice('64:ff9b::'.length)
  return `::ffff:${tail.includes(':') ? tail : `0:${tail === '' ? '0' : tail}`}`
}

function listOf(ranges: [address: string, prefix: number][], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [address, prefix] of ranges) list.addSubnet(address, prefix, family)
  return list
}
