import { BlockList, isIP } from 'node:net'

type Range = { bits: bigint; prefix: number; size: 32 | 128 }
type Lists = { v4: BlockList; v6: BlockList }

const notAnAddress = 'is not an IP address or a range in CIDR notation'
const mappedPattern = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/
const prefixLength = /^(?:0|[1-9]\d{0,2})$/
const cachedLists = 512
const cache = new Map<string, Lists>()

/**
 * Reads one address or CIDR range, blanks around it removed, and answers its canonical text (v6 as in RFC
 * 5952, v4-mapped v6 as v4), or what is wrong with it as the end of a sentence (security.md R28).
 */
export function parseRange(text: string): { range: string } | { problem: string } {
  const [address = '', length, ...more] = text.trim().split('/')
  if (address.includes('%')) return { problem: 'has a zone id, which means nothing outside one machine' }
  const ip = canonicalIp(address)
  if (ip === undefined || more.length > 0) return { problem: notAnAddress }
  if (length === undefined) return { range: ip }
  if (!prefixLength.test(length)) return { problem: notAnAddress }
  const mapped = isIP(address) === 6 && isIP(ip) === 4
  const size = isIP(ip) === 4 ? 32 : 128
  const prefix = Number(length) - (mapped ? 96 : 0)
  if (prefix > size) return { problem: notAnAddress }
  if (prefix <= 0) return { problem: 'covers every address; leave the list out to allow any address' }
  const bits = toBits(ip)
  const base = (bits >> BigInt(size - prefix)) << BigInt(size - prefix)
  if (base !== bits)
    return { problem: `has bits set behind its prefix; write ${toText(base, size)}/${prefix}` }
  return { range: `${ip}/${prefix}` }
}

/**
 * The one spelling of an address; v4-mapped v6 becomes its v4, zone ids and what is no address `undefined`
 * (R28).
 */
export function canonicalIp(ip: string): string | undefined {
  const family = isIP(ip)
  if (family === 4) return ip
  if (family !== 6 || ip.includes('%')) return undefined
  // The WHATWG serializer never writes dots, so one pattern finds every spelling of a mapped v4.
  const text = new URL(`http://[${ip}]`).hostname.slice(1, -1)
  const mapped = mappedPattern.exec(text)
  if (mapped === null) return text
  return toText(BigInt(`0x${mapped[1]?.padStart(4, '0')}${mapped[2]?.padStart(4, '0')}`), 32)
}

/**
 * Whether a caller at `ip` passes a token's list: no list passes everybody, an empty list or an unknown
 * address nobody. A v6 range never matches a v4 caller, even where it covers `::ffff:0:0/96`.
 */
export function ipAllowed(allowed: readonly string[] | null, ip: string | null): boolean {
  if (allowed === null) return true
  const address = ip === null ? undefined : canonicalIp(ip)
  if (address === undefined) return false
  return admits(listsOf(allowed), address)
}

/** The first range of a list that lets the address in, as it stands there; undefined = none does. */
export function admittingRange(allowed: readonly string[], ip: string | null): string | undefined {
  const address = ip === null ? undefined : canonicalIp(ip)
  if (address === undefined) return undefined
  return allowed.find((range) => admits(compile([range]), address))
}

function admits({ v4, v6 }: Lists, address: string): boolean {
  return isIP(address) === 4 ? v4.check(address, 'ipv4') : v6.check(address, 'ipv6')
}

/**
 * Whether every range of `inner` lies inside one single range of `outer`; what cannot be read lies nowhere
 * (R15).
 */
export function rangesWithin(inner: readonly string[], outer: readonly string[]): boolean {
  const around = outer.map(toRange)
  return inner.map(toRange).every((one) => one !== undefined && around.some((other) => contains(other, one)))
}

/** What failures are counted by: an IPv4 address, or the /64 of an IPv6 address, since one host has all of it (security R29). */
export function addressGroup(ip: string): string {
  return isIP(ip) === 6 ? groupsOf(ip).slice(0, 4).join(':') : ip
}

function contains(outer: Range | undefined, inner: Range): boolean {
  if (outer === undefined || outer.size !== inner.size || outer.prefix > inner.prefix) return false
  return (outer.bits ^ inner.bits) >> BigInt(outer.size - outer.prefix) === 0n
}

function toRange(text: string): Range | undefined {
  const parsed = parseRange(text)
  if ('problem' in parsed) return undefined
  const [ip = '', prefix] = parsed.range.split('/')
  const size = isIP(ip) === 4 ? 32 : 128
  return { bits: toBits(ip), prefix: prefix === undefined ? size : Number(prefix), size }
}

// The key is unambiguous JSON, because a joined text would let two different lists share one entry.
function listsOf(allowed: readonly string[]): Lists {
  const key = JSON.stringify(allowed)
  const known = cache.get(key)
  if (known !== undefined) return known
  const lists = compile(allowed)
  const oldest = cache.keys().next()
  if (cache.size >= cachedLists && !oldest.done) cache.delete(oldest.value)
  cache.set(key, lists)
  return lists
}

// Two lists, because one BlockList lets the v6 range ::/1 match every v4 address.
function compile(allowed: readonly string[]): Lists {
  const lists = { v4: new BlockList(), v6: new BlockList() }
  for (const range of allowed.map(toRange)) {
    if (range === undefined) continue
    const text = toText(range.bits, range.size)
    if (range.size === 32) lists.v4.addSubnet(text, range.prefix, 'ipv4')
    else lists.v6.addSubnet(text, range.prefix, 'ipv6')
  }
  return lists
}

function toBits(canonical: string): bigint {
  if (isIP(canonical) === 4)
    return canonical.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n)
  return groupsOf(canonical).reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}

/** The eight groups of a canonical v6 address. */
function groupsOf(canonical: string): string[] {
  const [head = '', tail] = canonical.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after]
}

function toText(bits: bigint, size: 32 | 128): string {
  if (size === 32) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.')
  const groups = bits.toString(16).padStart(32, '0').match(/.{4}/g) ?? []
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
