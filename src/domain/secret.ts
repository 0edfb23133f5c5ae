import { createHmac, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { base62Digits, encodeBase62 } from './base62.ts'

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
  return createHmac('sha256', pepper).update(secret).digest()
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
  return encodeBase62(BigInt(crc32(body)), checksumLength)
}
