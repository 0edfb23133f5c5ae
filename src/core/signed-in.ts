import type { UserRow } from '../../db/schema.ts'
import * as users from '../../db/users.ts'
import type { Context } from './context.ts'
import { proofOf } from './password.ts'
import { signInRefused } from './sign-in.ts'

/**
 * The person who signed in for this call, as they are in this transaction; undefined if disabled or deleted since.
 * Throws `unauthenticated` if the password was replaced since: what it revoked must not come after it.
 */
export async function signedIn({ actor, db }: Pick<Context, 'actor' | 'db'>): Promise<UserRow | undefined> {
  if (actor.kind !== 'user') return undefined
  const user = await users.findLive(db, {}, actor.id)
  if (user === undefined || user.enabled === 0) return undefined
  if (user.password_hash === null || proofOf(user.password_hash) !== actor.proof) throw signInRefused()
  return user
}
