import { z } from 'zod'
import { secrets } from './fields.ts'

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

/** The argon2id digest of a password, about 40 ms; call it in `prepare`, never inside a transaction. */
export async function hashPassword(password: string): Promise<string> {
  // Loaded when first needed, so that a server without passwords starts where the native module is missing (R51).
  const argon2 = await import('argon2')
  return argon2.hash(password, { ...cost, type: argon2.argon2id })
}
