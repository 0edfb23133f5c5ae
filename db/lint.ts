import { sql } from 'kysely'
import type { Db } from './open.ts'
import { inReach } from './reach.ts'
import { ownTokens, type Scope } from './scope.ts'

export interface LintFilter {
  project_id?: string | undefined
  owner_id?: string | undefined
}

/** The next tokens in id order from that one on, in whatever state, and whether the owner may still act. */
export async function page(db: Db, scope: Scope, filter: LintFilter, from: string, limit: number) {
  let query = db
    .selectFrom('tokens')
    .leftJoin('users', 'users.id', 'tokens.owner_id')
    .selectAll('tokens')
    .select((is) =>
      is
        .case()
        .when('tokens.owner_id', 'is', null)
        .then(1)
        .when(is.and([is('users.enabled', '=', 1), is('users.deleted_at', 'is', null)]))
        .then(1)
        .else(0)
        .end()
        .as('owner_active'),
    )
    .where('tokens.id', '>=', from)
    .where(ownTokens(scope))
  if (filter.project_id !== undefined) query = query.where('tokens.project_id', '=', filter.project_id)
  if (filter.owner_id !== undefined) query = query.where('tokens.owner_id', '=', filter.owner_id)
  return query.orderBy('tokens.id').limit(limit).execute()
}

export type LintRow = Awaited<ReturnType<typeof page>>[number]

/** Those of these tokens for which there is an older live one of the same name in scope. */
export async function namedTwice(db: Db, scope: Scope, ids: readonly string[], now: string) {
  if (ids.length === 0) return new Set<string>()
  const rows = await db
    .selectFrom('tokens as t')
    .select('t.id')
    .where('t.id', 'in', ids)
    .where((is) =>
      is.exists(
        is
          .selectFrom('tokens')
          .select('tokens.id')
          .whereRef('tokens.name', '=', 't.name')
          .where('tokens.name', 'is not', null)
          .where('tokens.revoked_at', 'is', null)
          .whereRef('tokens.id', '<', 't.id')
          .where(({ or, eb }) => or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)]))
          .where(ownTokens(scope)),
      ),
    )
    .execute()
  return new Set(rows.map(({ id }) => id))
}

/** Live tokens of an owner looked at; those made before them come behind. */
const mostOfOwner = 1_000

/** The live tokens that the owner needs most: on before off, then by when they were last used or made. */
export async function needed(db: Db, ownerId: string, projectId: string | null, now: string, most: number) {
  let query = db
    .selectFrom('tokens')
    .select(['id', 'enabled', 'last_used_at', 'created_at'])
    .where('owner_id', '=', ownerId)
    .where('revoked_at', 'is', null)
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', now)]))
  if (projectId !== null) query = query.where('project_id', '=', projectId)
  const rows = await query.orderBy('id', 'desc').limit(mostOfOwner).execute()
  const at = ({ last_used_at, created_at }: (typeof rows)[number]) => last_used_at ?? created_at
  return new Set(
    rows
      .toSorted((a, b) => b.enabled - a.enabled || (at(a) < at(b) ? 1 : at(a) > at(b) ? -1 : 0))
      .slice(0, most)
      .map(({ id }) => id),
  )
}

/** The servers a token reaches now, as many as that. */
export async function reached(db: Db, tokenId: string, most: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`select servers.id from tokens, servers
    where tokens.id = ${tokenId} and servers.deleted_at is null and ${inReach}
    order by servers.id limit ${most}`.execute(db)
  return rows.map(({ id }) => id)
}
