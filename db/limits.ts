import { sql } from 'kysely'
import type { Counted } from '../src/domain/use-limits.ts'
import { NewerSchema } from './errors.ts'
import { schemaVersion } from './migrate.ts'
import type { Db } from './open.ts'
import { compiledOnce, slot } from './prepare.ts'

/** One use to be counted; `window_start` is that of the window `now` lies in, 0 where no window is limited. */
export interface Use {
  token_id: string
  window_start: number
  limit_requests: number | null
  max_uses: number | null
}

/** Slots: 0 token id, 1 start of the window, 2 requests in a window, 3 uses at all. */
const [id, start, requests, uses] = [slot(0), slot(1), slot(2), slot(3)]
const int = (value: never) => sql<number>`cast(${value} as bigint)`

const later = sql<boolean>`excluded.window_start > token_limits.window_start`

/** One statement decides and counts, so that no two uses take the same place; no row = the limit is reached. */
const countUse = compiledOnce<Counted>((db) =>
  db
    .insertInto('token_limits')
    .columns(['token_id', 'window_start', 'window_count', 'uses'])
    .expression(
      db
        .selectFrom('audit_head')
        .select([
          sql<string>`cast(${id} as text)`.as('token_id'),
          int(start).as('window_start'),
          sql<number>`1`.as('window_count'),
          sql<number>`1`.as('uses'),
        ])
        // As every writer: a newer schema is not written to (security R55).
        .where('schema_version', '<=', schemaVersion),
    )
    .onConflict((conflict) =>
      conflict
        .column('token_id')
        .doUpdateSet({
          // A window only ever gives way to a later one: a clock that is behind counts into what others have begun.
          window_start: sql`case when ${later} then excluded.window_start else token_limits.window_start end`,
          window_count: sql`case when ${later} then 1 else token_limits.window_count + 1 end`,
          uses: sql`token_limits.uses + 1`,
        })
        .where(sql<boolean>`(${int(uses)} is null or token_limits.uses < ${int(uses)})`)
        .where(
          sql<boolean>`(${int(requests)} is null or ${later} or token_limits.window_count < ${int(requests)})`,
        ),
    )
    .returning(['window_start', 'window_count', 'uses']),
)

/** Counts a use, durably once the transaction is; answers what then is counted, or undefined if the limit is reached. */
export async function count(db: Db, use: Use): Promise<Counted | undefined> {
  const [counted] = await countUse(db, [use.token_id, use.window_start, use.limit_requests, use.max_uses])
  if (counted === undefined) await refuseNewer(db)
  return counted
}

async function refuseNewer(db: Db): Promise<void> {
  const { schema_version } = await db
    .selectFrom('audit_head')
    .select('schema_version')
    .executeTakeFirstOrThrow()
  if (schema_version > schemaVersion) throw new NewerSchema(schema_version, schemaVersion)
}

const counted = (db: Db) => db.selectFrom('token_limits').select(['window_start', 'window_count', 'uses'])

/** What is counted against the limits of a token, as a query for one slot: its id. */
export const countedOf = (db: Db) => counted(db).where('token_id', '=', slot(0))

/** What is counted against the limits of a token; undefined = nothing yet. */
export function find(db: Db, tokenId: string): Promise<Counted | undefined> {
  return counted(db).where('token_id', '=', tokenId).executeTakeFirst()
}

/** Begins the window anew: a window of another length counts other requests. All uses stay counted. */
export async function resetWindow(db: Db, tokenId: string): Promise<void> {
  await db
    .updateTable('token_limits')
    .set({ window_start: 0, window_count: 0 })
    .where('token_id', '=', tokenId)
    .execute()
}

type CountedRow = Counted & { token_id: string }

/** Puts counts of a backup in; of two counts for one token the higher one stands. */
export async function merge(db: Db, rows: readonly CountedRow[]): Promise<void> {
  if (rows.length === 0) return
  await db
    .insertInto('token_limits')
    .values([...rows])
    .onConflict((conflict) =>
      conflict.column('token_id').doUpdateSet({
        window_start: sql`case when ${later} then excluded.window_start else token_limits.window_start end`,
        window_count: sql`case when ${later} or (excluded.window_start = token_limits.window_start
          and excluded.window_count > token_limits.window_count)
          then excluded.window_count else token_limits.window_count end`,
        uses: sql`case when excluded.uses > token_limits.uses then excluded.uses else token_limits.uses end`,
      }),
    )
    .execute()
}
