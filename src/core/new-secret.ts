import type { Keys } from '../domain/keys.ts'
import { digest, lastFour, makeSecret, shownPrefix } from '../domain/secret.ts'

/** There is one pepper; the column says which, so that a second could be told apart. */
const pepperId = 1

/** Makes a secret and the columns that stand for it in the store, which never holds the secret itself (R2). */
export function newSecret(keys: Keys, prefix: string) {
  const secret = makeSecret(prefix)
  return { secret, columns: secretColumns(keys, secret) }
}

/** The columns of a secret that was made elsewhere. */
export function secretColumns(keys: Keys, secret: string) {
  return {
    secret_hash: digest(keys.pepper, secret),
    pepper_id: pepperId,
    prefix: shownPrefix(secret),
    last4: lastFour(secret),
  }
}
