import type { UserRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import * as users from '../../db/users.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'
import { email } from './fields.ts'
import { namesToo } from './found.ts'
import { markOf } from './password.ts'

/** The user in the caller's scope who is not deleted: by id, and where e-mails name users by one in any letter case. */
export async function findUser(ctx: Context, id: string, emailsToo = namesToo(ctx, id)): Promise<UserRow> {
  const address = emailsToo ? email.safeParse(id).data : undefined
  const user =
    address === undefined
      ? await users.findLive(ctx.db, ctx.scope, id)
      : await users.findByEmail(ctx.db, ctx.scope, address)
  if (user === undefined) throw notFound('user', id, 'list_users shows the ids.')
  return user
}

/** Refuses an e-mail that another user has; letter case does not make it another. */
export async function refuseTakenEmail(ctx: Context, email: string): Promise<void> {
  if ((await users.findByEmail(ctx.db, {}, email)) === undefined) return
  throw new AppError(
    'conflict',
    'Another user has this e-mail. Choose a different one, or find that user with list_users.',
    {
      entity: 'user',
      field: 'email',
      reason: 'email_taken',
    },
  )
}

/** Remembers that the password the user has now was ended on purpose: no restore brings it back (security R57). */
export async function endPassword(ctx: Context, { id, password_hash }: UserRow): Promise<void> {
  if (password_hash !== null) await tokens.end(ctx.db, id, [markOf(password_hash)], ctx.now)
}
