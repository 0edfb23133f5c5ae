import type { UserRow } from '../../db/schema.ts'
import * as users from '../../db/users.ts'
import type { UserActor } from './actor.ts'
import type { Caller } from './context.ts'
import { AppError } from './errors.ts'
import { email as emailField } from './fields.ts'
import type { Core } from './invoke.ts'
import { proofOf, verifyPassword } from './password.ts'

/** Who wants to sign in, and from where. */
export interface SignIn extends Pick<Caller, 'via' | 'ip'> {
  email: string
  password: string
}

/**
 * The person behind an e-mail and a password. Everything that is no good is refused alike, at the cost of one
 * computation (security R31); failures are counted and limited (R29, R41). Throws `unauthenticated`, `rate_limited`.
 */
export async function signIn(core: Core, attempt: SignIn): Promise<UserActor> {
  const { via, ip } = attempt
  try {
    const { user, right } = await checked(core, attempt)
    if (right && user?.password_hash) {
      return { kind: 'user', id: user.id, name: user.email, proof: proofOf(user.password_hash) }
    }
    const found = { target_id: user?.id ?? null, cause: causeOf(user) }
    core.tallies.count({ action: 'sign_in_refused', via, ip, ...found })
    throw signInRefused()
  } catch (error) {
    const limited = error instanceof AppError && error.code === 'rate_limited'
    if (limited) core.tallies.count({ action: 'sign_in_limited', via, ip })
    throw error
  }
}

/** Who was found and whether the password is theirs; only a wrong one uses up a place. */
async function checked(core: Core, { email, password, ip }: SignIn) {
  const address = emailField.safeParse(email)
  const account = address.success ? address.data : email.toLowerCase()
  const giveBack = await core.signIns.reserve(account, ip)
  let right: boolean | undefined
  try {
    const user = address.success ? await users.findByEmail(core.store.read, {}, address.data) : undefined
    right = await verifyPassword(user?.enabled === 1 ? user.password_hash : null, password)
    return { user, right }
  } finally {
    if (right !== false) giveBack()
  }
}

/** The one refusal of a sign-in, whatever its cause. */
export function signInRefused(): AppError {
  return new AppError('unauthenticated', 'The e-mail or the password is wrong.', { reason: 'sign_in' })
}

/** For the reader of the trail alone. */
function causeOf(user: UserRow | undefined): string {
  if (user === undefined) return 'unknown_user'
  if (user.enabled === 0) return 'user_disabled'
  return user.password_hash === null ? 'no_password' : 'wrong_password'
}
