import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import { ownKeys } from './keys.ts'
import type { Db } from './open.ts'
import type { Schema, TokenRow } from './schema.ts'
import { ownTokens, type Scope } from './scope.ts'

/** Which credentials a report may be about: management keys only where it says so. */
export interface Reach {
  scope: Scope
  management: boolean
}

/** Whose secret has this digest, or had it: the row, whatever its state. */
export async function holderOf(db: Db, reach: Reach, hash: Buffer): Promise<TokenRow | undefined> {
  // One after the other, since each finds its row by an index of its own.
  const rows = () => db.selectFrom('tokens').selectAll().where(within(reach))
  return (
    (await rows().where('secret_hash', '=', hash).executeTakeFirst()) ??
    (await rows().where('previous_hash', '=', hash).executeTakeFirst()) ??
    (await rows()
      .where('tokens.id', 'in', (is) =>
        is.selectFrom('revocations').select('token_id').where('token_hash', '=', hash),
      )
      .executeTakeFirst())
  )
}

/** Remembers when a live credential was first reported; undefined if it had been, or is revoked. */
export async function mark(db: Db, reach: Reach, id: string, now: string): Promise<TokenRow | undefined> {
  return db
    .updateTable('tokens')
    .set({ leaked_at: now, updated_at: now })
    .where('tokens.id', '=', id)
    .where('leaked_at', 'is', null)
    .where('revoked_at', 'is', null)
    .where(within(reach))
    .returningAll()
    .executeTakeFirst()
}

/** Lets go of the replaced secret of a token before its grace is over; undefined if it is not that one any more. */
export async function endPredecessor(
  db: Db,
  { scope }: Reach,
  id: string,
  hash: Buffer,
  now: string,
): Promise<TokenRow | undefined> {
  return db
    .updateTable('tokens')
    .set({ previous_hash: null, previous_until: null, updated_at: now })
    .where('tokens.id', '=', id)
    .where('previous_hash', '=', hash)
    .where(ownTokens(scope))
    .returningAll()
    .executeTakeFirst()
}

function within({ scope, management }: Reach) {
  return (is: ExpressionBuilder<Schema, 'tokens'>): Expression<SqlBool> =>
    management
      ? is.or([ownTokens(scope)(is), is.and([is('tokens.kind', '=', 'management'), ownKeys(scope)(is)])])
      : ownTokens(scope)(is)
}
