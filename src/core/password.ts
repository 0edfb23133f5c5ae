import { createHash } from 'node:crypto'
import { z } from 'zod'
import { affordableDigest } from '../domain/password-digest.ts'
import { AppError } from './errors.ts'
import { secrets } from './fields.ts'
import { makeGate } from './gate.ts'

/** A password as it is set: half characters are refused, because the digest could not tell them apart (security F8). */
export const password = z
  .string()
  .min(8)
  .max(256)
  .refine(
    (value) => !/[\0\p{Surrogate}]/u.test(value),
    'holds NUL or half a character (an unpaired surrogate)',
  )
  .describe('Password of 8 to 256 characters for signing in.')
  .register(secrets, { secret: true, ofPeople: true })

/** Cost of a password digest: 19 MiB, two passes, one lane (security R2, F8). */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** The digest of no password, at the cost of any other. */
const nobodys = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$${'A'.repeat(22)}$${'A'.repeat(43)}`

/** Bytes of the longest password that is looked at. */
const longest = 1_024

/** One for the process, as what it guards is: its cores and the thread pool (security R48). */
const gate = makeGate({ waiting: 16, patience: 2_000 })

/** The argon2id digest of a password, about 40 ms; call it in `prepare`, never inside a transaction. Throws `rate_limited`. */
export async function hashPassword(password: string): Promise<string> {
  return gate(async () => {
    const { hash, argon2id } = await argon2()
    return hash(password, { ...cost, type: argon2id })
  })
}

/**
 * Whether the password is the one behind the digest; null, a digest that is none or costs too much, and a password
 * nobody can have are wrong ones. Each costs one computation, so that time tells nothing (security R6, R31). Throws
 * `rate_limited`.
 */
export async function verifyPassword(digest: string | null, password: string): Promise<boolean> {
  // A lone surrogate and U+FFFD would be the same password (security F8).
  const possible = Buffer.byteLength(password) <= longest && !/\p{Surrogate}/u.test(password)
  const known = digest !== null && affordableDigest(digest)
  const right = await gate(async () =>
    (await argon2()).verify(known ? digest : nobodys, possible ? password : ''),
  )
  return known && possible && right
}

/** Stands for a digest where the digest itself must not go. */
export function proofOf(digest: string): string {
  return markOf(digest).toString('base64url')
}

/** What a password is remembered by once it was ended on purpose: 32 bytes that its digest alone gives (security R57). */
export function markOf(digest: string): Buffer {
  return createHash('sha256').update(digest).digest()
}

/** Loaded when first needed, so that a server without passwords starts where the native module is missing (R51). */
async function argon2() {
  try {
    return await import('argon2')
  } catch (cause) {
    throw new AppError(
      'unsupported',
      `Passwords do not work here: argon2 cannot be loaded by this Node.js (${process.version}). Run: npm rebuild argon2`,
      { cause },
    )
  }
}
