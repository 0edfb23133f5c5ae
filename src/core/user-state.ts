import type { UserRow } from '../../db/schema.ts'
import * as users from '../../db/users.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'

/** The user in the caller's scope who is not deleted. */
export async function findUser(ctx: Context, id: string): Promise<UserRow> {
  const user = await users.findLive(ctx.db, ctx.scope, id)
  if (user === undefined) throw notFound('user', id, 'list_users shows the ids.')
  return user
}

/** Refuses an e-mail that another user has; letter case does not make it another. */
export async function refuseTakenEmail(ctx: Context, email: string): Promise<void> {
  if ((await users.findByEmail(ctx.db, {}, email)) === undefined) return
  throw new AppError(
    'conflict',
    'Another user has this e-mail. Choose a different one, or change that user.',
    {
      entity: 'user',
      field: 'email',
      reason: 'email_taken',
    },
  )
}
