import { randomBytes } from 'node:crypto'
import { encodeBase62 } from './base62.ts'

export const idPrefixes = {
  token: 'mgtk',
  key: 'mkey',
  group: 'mggr',
  server: 'mgsr',
  project: 'proj',
  user: 'usr',
  config: 'cfg',
  environment: 'env',
  event: 'evt',
  link: 'lnk',
  request: 'req',
} as const

export type IdKind = keyof typeof idPrefixes

const bodyPattern = /^[0-9A-Za-z]{22}$/
const anyIdPattern = new RegExp(`^(?:${Object.values(idPrefixes).join('|')})_[0-9A-Za-z]{22}$`)

/**
 * A new id: the prefix of its kind, `_`, and 128 bits as 22 base62 characters: 48 bits `at` (unix ms), 40
 * bits `seq` (the audit sequence number of the change), 16 bits `n` (place within that change), 24 random
 * bits. Byte order of ids of one kind is therefore the order of (at, seq, n). Throws RangeError when a part
 * does not fit.
 */
export function makeId(kind: IdKind, at: number, seq: number, n: number): string {
  const random = BigInt(randomBytes(3).readUIntBE(0, 3))
  const bits = (part(at, 48) << 80n) | (part(seq, 40) << 40n) | (part(n, 16) << 24n) | random
  return `${idPrefixes[kind]}_${encodeBase62(bits, 22)}`
}

/** Whether `value` has the form of an id of that kind. */
export function isId(kind: IdKind, value: string): boolean {
  const start = `${idPrefixes[kind]}_`
  return value.startsWith(start) && bodyPattern.test(value.slice(start.length))
}

/** Whether `value` has the form of an id of any kind; a name may not (security.md R20). */
export function looksLikeId(value: string): boolean {
  return anyIdPattern.test(value)
}

function part(value: number, bits: number): bigint {
  const whole = BigInt(value)
  if (whole < 0n || whole >> BigInt(bits) !== 0n) throw new RangeError(`id part does not fit ${bits} bits`)
  return whole
}
