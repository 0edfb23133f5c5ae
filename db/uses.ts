import { sql } from 'kysely'
import type { Db } from './open.ts'
import { compiledOnce, slot } from './prepare.ts'
import type { TokenUseRow } from './schema.ts'

/** Uses of one secret of a token since the last that were stored. */
export interface Uses {
  id: string
  /** When the first and the last of them was, and from where the last. */
  first_at: string
  at: string
  ip: string | null
  count: number
  /** The token's generation when the secret was used; its predecessor's is one less. */
  generation: number
  previous: boolean
}

/** Slots: 0 token id, 1 time of the last, 2 address, 3 count, 4 generation of the token, 5 time of the first, 6 generation of the secret. */
const [id, at, ip, times] = [slot(0), slot(1), slot(2), slot(3)]
const [generation, first, secret] = [slot(4), slot(5), slot(6)]

const ofToken = (which: 'current' | 'previous') =>
  compiledOnce((db) =>
    db
      .updateTable('tokens')
      .set((is) => ({
        use_count: is('use_count', '+', times),
        last_used_ip: sql<string>`case when last_used_at is null or last_used_at <= ${at} then ${ip} else last_used_ip end`,
        last_used_at: sql<string>`case when last_used_at is null or last_used_at < ${at} then ${at} else last_used_at end`,
        ...(which === 'previous'
          ? {
              // A later rotation has put another predecessor there, which was not used.
              previous_used_at: sql<string>`case when generation = ${generation} then ${at} else previous_used_at end`,
            }
          : {
              secret_used_at: sql<string>`case when generation = ${generation} then coalesce(secret_used_at, ${first}) else secret_used_at end`,
            }),
      }))
      .where('id', '=', id),
  )

/** Adds to what is there, whoever stored it: nodes count together. A token that is gone has no row. */
const ofSecret = compiledOnce((db) =>
  db
    .insertInto('token_uses')
    .columns(['token_id', 'generation', 'first_used_at', 'last_used_at', 'last_used_ip', 'use_count'])
    .expression(
      db
        .selectFrom('tokens')
        .select([
          'tokens.id',
          sql<number>`cast(${secret} as bigint)`.as('generation'),
          sql<string>`cast(${first} as text)`.as('first_used_at'),
          sql<string>`cast(${at} as text)`.as('last_used_at'),
          sql<string | null>`cast(${ip} as text)`.as('last_used_ip'),
          sql<number>`cast(${times} as bigint)`.as('use_count'),
        ])
        .where('tokens.id', '=', id),
    )
    .onConflict((conflict) =>
      conflict.columns(['token_id', 'generation']).doUpdateSet({
        use_count: sql`token_uses.use_count + excluded.use_count`,
        first_used_at: sql`case when excluded.first_used_at < token_uses.first_used_at then excluded.first_used_at else token_uses.first_used_at end`,
        last_used_ip: sql`case when excluded.last_used_at >= token_uses.last_used_at then excluded.last_used_ip else token_uses.last_used_ip end`,
        last_used_at: sql`case when excluded.last_used_at > token_uses.last_used_at then excluded.last_used_at else token_uses.last_used_at end`,
      }),
    ),
)

const ofCurrent = ofToken('current')
const ofPrevious = ofToken('previous')

/** Adds to the use of a token and of its secret; times only move apart. */
export async function record(db: Db, use: Uses): Promise<void> {
  const args = [use.id, use.at, use.ip, use.count, use.generation, use.first_at]
  await (use.previous ? ofPrevious : ofCurrent)(db, args)
  await ofSecret(db, [...args, use.previous ? use.generation - 1 : use.generation])
}

/** The uses of the latest secrets of a token that were used, newest first. */
export function latest(db: Db, tokenId: string, most: number): Promise<Omit<TokenUseRow, 'token_id'>[]> {
  return db
    .selectFrom('token_uses')
    .select(['generation', 'first_used_at', 'last_used_at', 'last_used_ip', 'use_count'])
    .where('token_id', '=', tokenId)
    .orderBy('generation', 'desc')
    .limit(most)
    .execute()
}
