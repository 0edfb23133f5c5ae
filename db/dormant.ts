import { type ExpressionBuilder, sql } from 'kysely'
import type { Db } from './open.ts'
import type { Schema } from './schema.ts'

/** Tokens of one range that nobody woke since that time: of a project, or of everybody. */
export interface Sleepers {
  project_id: string | null
  /** ISO 8601 UTC. */
  before: string
}

/** Looked at in one statement, whatever state they are in: what takes milliseconds (security R45). */
const lookedAt = 1_000

/** The live projects that have a policy. */
export async function policies(db: Db): Promise<{ id: string; policy: string }[]> {
  const rows = await db
    .selectFrom('projects')
    .select(['id', 'policy'])
    .where('policy', 'is not', null)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .execute()
  return rows.map(({ id, policy }) => ({ id, policy: policy ?? '{}' }))
}

/** The dormant among the next tokens behind an id, and the last that was looked at; undefined = there are no more. */
export async function next(
  db: Db,
  { project_id, before }: Sleepers,
  after: string,
  now: string,
): Promise<{ ids: string[]; last: string | undefined }> {
  let some = db.selectFrom('tokens').selectAll().where('tokens.id', '>', after).orderBy('id').limit(lookedAt)
  if (project_id !== null) some = some.where('project_id', '=', project_id)
  const rows = await db
    .selectFrom(some.as('tokens'))
    .select((is) => [
      'tokens.id',
      is.case().when(asleep(before, now)(is)).then(1).else(0).end().as('dormant'),
    ])
    .orderBy('tokens.id')
    .execute()
  const ids = rows.filter(({ dormant }) => dormant === 1).map(({ id }) => id)
  return { ids, last: rows.length < lookedAt ? undefined : rows.at(-1)?.id }
}

/** Switches off those that still are dormant, and answers them. */
export async function disable(db: Db, ids: readonly string[], { project_id, before }: Sleepers, now: string) {
  if (ids.length === 0) return []
  let query = db
    .updateTable('tokens')
    .set({ enabled: 0, disabled_at: now, updated_at: now })
    .where('id', 'in', ids)
    .where(asleep(before, now))
  if (project_id !== null) query = query.where('project_id', '=', project_id)
  return query.returning(['id', 'project_id', 'last_used_at']).execute()
}

/** Made, renewed, switched on, valid and used before that time, and still good. */
function asleep(before: string, now: string) {
  return (is: ExpressionBuilder<Schema, 'tokens'>) =>
    is.and([
      is('tokens.kind', '!=', 'management'),
      is('tokens.enabled', '=', 1),
      is('tokens.revoked_at', 'is', null),
      is.or([is('tokens.expires_at', 'is', null), is('tokens.expires_at', '>', now)]),
      is('tokens.created_at', '<', before),
      ...(['last_used_at', 'enabled_at', 'rotated_at', 'not_before'] as const).map((at) =>
        is(sql<string>`coalesce(${sql.ref(`tokens.${at}`)}, '')`, '<', before),
      ),
    ])
}
