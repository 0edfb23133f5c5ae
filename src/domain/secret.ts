import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { base62Digits } from './base62.ts'

const randomLength = 37
const checksumLength = 6
const wholePattern = /^[a-z0-9]{2,8}_[0-9A-Za-z]{43}$/
// Bytes from here, the largest multiple of 62, are drawn again, or some digits would be likelier (R1).
const rejectFrom = 248

/** The prefixes a secret may have. */
export const prefixPattern = /^[a-z0-9]{2,8}$/

/**
 * Finds secrets inside other text, for scanners and redaction; use it with `replace` or `matchAll`, as a global
 * pattern keeps state in `test`. It is open to the left, or `%3Dmcpt_…` and `TOKEN_mcpt_…` would slip through, and takes
 * what was copied badly too: without its last characters a secret is found out by trying, and more than ours is longer.
 * An id has 22 characters, a SHA-256 in hex is left alone.
 */
export const secretPattern = /[a-z0-9]{2,8}_(?![0-9a-f]{64}(?![0-9A-Za-z]))[0-9A-Za-z]{30,}/g

/**
 * A new secret: `<prefix>_`, 37 random base62 characters (220 bits), 6 of CRC-32 (security.md R1). Throws
 * RangeError when the prefix does not match `prefixPattern`.
 */
export function makeSecret(prefix: string): string {
  if (!prefixPattern.test(prefix)) throw new RangeError('a prefix has 2 to 8 characters a-z0-9')
  const body = `${prefix}_${randomDigits(randomLength)}`
  return body + checksum(body)
}

/** Whether `secret` has the form and the checksum of R1; it says nothing about whether we ever issued it. */
export function wellFormed(secret: string): boolean {
  if (!wholePattern.test(secret)) return false
  return checksum(secret.slice(0, -checksumLength)) === secret.slice(-checksumLength)
}

/** The first 12 characters, which may be stored and shown. */
export function shownPrefix(secret: string): string {
  return secret.slice(0, 12)
}

/** The last 4 characters, which may be stored and shown. */
export function lastFour(secret: string): string {
  return secret.slice(-4)
}

/** How a secret is shown after it has been shown once: `mcpt_Example…rjit` (security.md R5). */
export function redacted(prefix: string, last4: string): string {
  return `${prefix}…${last4}`
}

/** HMAC-SHA-256 of the exact secret, 32 bytes: the only form in which a secret is stored (security.md R2). */
export function digest(pepper: Buffer, secret: string): Buffer {
  const { inner, outer } = padsOf(pepper)
  const message = Buffer.allocUnsafe(blockLength + Buffer.byteLength(secret))
  inner.copy(message)
  message.write(secret, blockLength)
  outer.write(hash('sha256', message, 'binary'), blockLength, 'latin1')
  return Buffer.from(hash('sha256', outer, 'binary'), 'latin1')
}

const blockLength = 64

interface Pads {
  /** A block; the message follows it. */
  inner: Buffer
  /** A block, with room for the hash of the inner one. */
  outer: Buffer
}

const pads = new WeakMap<Buffer, Pads>()

/**
 * What RFC 2104 puts before message and hash. Validation makes two hashes of each secret by hand because `createHmac` makes
 * an object of each, which costs several times as much as the hashing.
 */
function padsOf(key: Buffer): Pads {
  const known = pads.get(key)
  if (known !== undefined) return known
  if (key.length > blockLength) throw new RangeError('a key of an HMAC has at most 64 bytes here')
  const inner = Buffer.alloc(blockLength, 0x36)
  const outer = Buffer.alloc(blockLength + 32, 0x5c)
  for (const [at, byte] of key.entries()) {
    inner[at] = byte ^ 0x36
    outer[at] = byte ^ 0x5c
  }
  const made = { inner, outer }
  pads.set(key, made)
  return made
}

function randomDigits(count: number): string {
  let digits = ''
  while (digits.length < count) {
    for (const byte of randomBytes(count - digits.length)) {
      if (byte < rejectFrom) digits += base62Digits.charAt(byte % 62)
    }
  }
  return digits
}

function checksum(body: string): string {
  let rest = crc32(body)
  let digits = ''
  while (digits.length < checksumLength) {
    digits = base62Digits.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}
