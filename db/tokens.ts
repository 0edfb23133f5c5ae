import { type Insertable, sql, type Updateable } from 'kysely'
import type { Db } from './open.ts'
import { countOf, type Page, rowsOf, textIn } from './page.ts'
import { compiledInsert } from './prepare.ts'
import { inReach } from './reach.ts'
import type { NewToken, Schema, TokenRow, TokenTable } from './schema.ts'
import { ownTokens, type Scope } from './scope.ts'

export interface TokenFilter {
  kind?: 'access' | 'user_key' | undefined
  status?: readonly ('active' | 'disabled' | 'expired' | 'revoked')[] | undefined
  group_id?: string | undefined
  /** In any of these; at least one. */
  group_ids?: readonly string[] | undefined
  /** Usable on any of these, existing or not; at least one. */
  usable_on?: readonly string[] | undefined
  server_id?: string | undefined
  project_id?: string | undefined
  owner_id?: string | undefined
  /** Substring of name or description, letter case ignored. */
  text?: string | undefined
  expires_before?: string | undefined
  /** Not used since this time, or never. */
  unused_since?: string | undefined
  created_before?: string | undefined
  /** With a secret from before this time. */
  secret_before?: string | undefined
  /** Reaching one of these; at least one. */
  server_ids?: readonly string[] | undefined
}

const insertOne = compiledInsert<NewToken, TokenRow>((db, row) =>
  db.insertInto('tokens').values(row).returningAll(),
)

export async function insert(db: Db, row: NewToken): Promise<TokenRow> {
  const [inserted] = await insertOne(db, row)
  if (inserted === undefined) throw new Error('an insert answers its row')
  return inserted
}

/** The token with this id; a management key is none. */
export async function find(db: Db, scope: Scope, id: string): Promise<TokenRow | undefined> {
  return db
    .selectFrom('tokens')
    .selectAll()
    .where('tokens.id', '=', id)
    .where(ownTokens(scope))
    .executeTakeFirst()
}

/** Up to two live tokens of that exact name, so that the caller can tell one from several. */
export async function findNamed(db: Db, scope: Scope, name: string): Promise<TokenRow[]> {
  return db
    .selectFrom('tokens')
    .selectAll()
    .where('name', '=', name)
    .where('revoked_at', 'is', null)
    .where(ownTokens(scope))
    .limit(2)
    .execute()
}

/** Up to two user keys that are not revoked, by id, by shown prefix or by the digest of the secret. */
export async function findUserKeys(
  db: Db,
  scope: Scope,
  by: { id?: string; prefix?: string; secret_hash?: Buffer },
): Promise<TokenRow[]> {
  let query = db.selectFrom('tokens').selectAll()
  if (by.id !== undefined) query = query.where('tokens.id', '=', by.id)
  if (by.prefix !== undefined) query = query.where('prefix', '=', by.prefix)
  if (by.secret_hash !== undefined) query = query.where('secret_hash', '=', by.secret_hash)
  return query
    .where('kind', '=', 'user_key')
    .where('revoked_at', 'is', null)
    .where(ownTokens(scope))
    .limit(2)
    .execute()
}

/** The token whose secret has this digest, or whose replaced one does while its grace lasts. */
export async function findBySecret(
  db: Db,
  scope: Scope,
  hash: Buffer,
  now: string,
): Promise<TokenRow | undefined> {
  return db
    .selectFrom('tokens')
    .selectAll()
    .where((is) =>
      is.or([
        is('secret_hash', '=', hash),
        is.and([is('previous_hash', '=', hash), is('previous_until', '>', now)]),
      ]),
    )
    .where(ownTokens(scope))
    .executeTakeFirst()
}

/** Changes a token that is not revoked; `guard.generation` makes it compare-and-swap. Undefined = it did not match. */
export async function update(
  db: Db,
  scope: Scope,
  id: string,
  changes: Updateable<TokenTable>,
  guard: { generation?: number } = {},
): Promise<TokenRow | undefined> {
  let query = db
    .updateTable('tokens')
    .set(changes)
    .where('tokens.id', '=', id)
    .where('revoked_at', 'is', null)
    .where(ownTokens(scope))
  if (guard.generation !== undefined) query = query.where('generation', '=', guard.generation)
  return query.returningAll().executeTakeFirst()
}

/** Revokes live tokens, remembers their digests, and answers the rows: one token or several, or all of an owner or a project. */
export async function revoke(
  db: Db,
  which: {
    id?: string
    ids?: readonly string[]
    owner_id?: string
    project_id?: string
    kind?: 'user_key'
    of_members?: true
  },
  scope: Scope,
  now: string,
): Promise<TokenRow[]> {
  let query = db
    .updateTable('tokens')
    .set({ revoked_at: now, updated_at: now })
    .where('revoked_at', 'is', null)
    .where(ownTokens(scope))
  if (which.id !== undefined) query = query.where('tokens.id', '=', which.id)
  if (which.ids !== undefined) query = query.where('tokens.id', 'in', [...which.ids])
  if (which.owner_id !== undefined) query = query.where('owner_id', '=', which.owner_id)
  if (which.project_id !== undefined) query = query.where('project_id', '=', which.project_id)
  if (which.kind !== undefined) query = query.where('kind', '=', which.kind)
  if (which.of_members) {
    query = query.where('owner_id', 'in', (is) =>
      is.selectFrom('project_members').select('user_id').whereRef('project_id', '=', 'tokens.project_id'),
    )
  }
  const rows = await query.returningAll().execute()
  await remember(
    db,
    rows.flatMap((row) => ended(row.id, [row.secret_hash, row.previous_hash], now)),
  )
  return rows
}

/** Remembers digests that were ended on purpose: no restore brings them back (security R57). */
export async function end(db: Db, tokenId: string, digests: (Buffer | null)[], now: string): Promise<void> {
  await remember(db, ended(tokenId, digests, now))
}

type Ended = Insertable<Schema['revocations']>

function ended(token_id: string, digests: (Buffer | null)[], at: string): Ended[] {
  return digests.filter((digest) => digest !== null).map((token_hash) => ({ token_hash, token_id, at }))
}

/** Few enough rows that their values fit into one statement on every engine. */
const chunk = 500

async function remember(db: Db, rows: Ended[]): Promise<void> {
  for (let at = 0; at < rows.length; at += chunk) {
    await db
      .insertInto('revocations')
      .values(rows.slice(at, at + chunk))
      .onConflict((same) => same.doNothing())
      .execute()
  }
}

/** How many tokens of the owner are neither revoked nor expired, in one project or everywhere; counts no further than `most`. */
export async function countLive(
  db: Db,
  ownerId: string,
  projectId: string | null,
  now: string,
  most: number,
): Promise<number> {
  let live = db
    .selectFrom('tokens')
    .select('id')
    .where('owner_id', '=', ownerId)
    .where('revoked_at', 'is', null)
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', now)]))
  if (projectId !== null) live = live.where('project_id', '=', projectId)
  const { n } = await db
    .selectFrom(live.limit(most).as('live'))
    .select((is) => is.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow()
  return n
}

function filtered(db: Db, scope: Scope, filter: TokenFilter, now: string) {
  let query = db.selectFrom('tokens').where(ownTokens(scope))
  const { status, group_id, server_id, text, expires_before, unused_since } = filter
  if (filter.project_id !== undefined) query = query.where('project_id', '=', filter.project_id)
  if (filter.kind !== undefined) query = query.where('tokens.kind', '=', filter.kind)
  if (filter.owner_id !== undefined) query = query.where('owner_id', '=', filter.owner_id)
  if (expires_before !== undefined) query = query.where('expires_at', '<', expires_before)
  if (unused_since !== undefined) {
    query = query.where((is) =>
      is.or([is('last_used_at', 'is', null), is('last_used_at', '<', unused_since)]),
    )
  }
  if (text !== undefined) query = query.where(textIn(text, ['tokens.name', 'tokens.description']))
  if (filter.created_before !== undefined) query = query.where('created_at', '<', filter.created_before)
  if (filter.secret_before !== undefined) {
    query = query.where(sql<string>`coalesce(rotated_at, created_at)`, '<', filter.secret_before)
  }
  if (filter.server_ids !== undefined) query = query.where(reaches(filter.server_ids))
  const groups = group_id === undefined ? filter.group_ids : [group_id]
  if (groups !== undefined) {
    query = query.where('tokens.id', 'in', (is) =>
      is.selectFrom('token_groups').select('token_id').where('group_id', 'in', groups),
    )
  }
  if (server_id !== undefined) query = query.where(reaches([server_id]))
  if (filter.usable_on !== undefined) query = query.where(usableOn(filter.usable_on))
  if (status !== undefined) {
    query = query.where((is) => {
      const live = is('revoked_at', 'is', null)
      const expired = is('expires_at', '<=', now)
      const running = is.or([is('expires_at', 'is', null), is('expires_at', '>', now)])
      const terms = {
        revoked: is('revoked_at', 'is not', null),
        disabled: is.and([live, is('enabled', '=', 0)]),
        expired: is.and([live, is('enabled', '=', 1), expired]),
        active: is.and([live, is('enabled', '=', 1), running]),
      }
      return is.or(status.map((one) => terms[one]))
    })
  }
  return query
}

/** Tokens that reach one of the servers now; a server that is not there reaches nobody. */
function reaches(serverIds: readonly string[]) {
  return sql<boolean>`exists (select 1 from servers where servers.id in (${sql.join(serverIds)})
    and servers.deleted_at is null and ${inReach})`
}

/** As `reaches`, and those that reach every server there will be, whether these exist or not (metorial:tokens:list:server-filter). */
function usableOn(serverIds: readonly string[]) {
  return sql<boolean>`(${reaches(serverIds)} or (tokens.all_servers = 1 and tokens.project_id is null))`
}

/** One page of tokens in id order. */
export async function list(
  db: Db,
  scope: Scope,
  filter: TokenFilter,
  page: Page,
  now: string,
): Promise<TokenRow[]> {
  return rowsOf(filtered(db, scope, filter, now).selectAll('tokens'), 'tokens.id', page)
}

/** True if the token is one of those the filter lets through. */
export async function matches(
  db: Db,
  scope: Scope,
  filter: TokenFilter,
  now: string,
  id: string,
): Promise<boolean> {
  const found = await filtered(db, scope, filter, now)
    .select('tokens.id')
    .where('tokens.id', '=', id)
    .executeTakeFirst()
  return found !== undefined
}

/** How many tokens match; beyond 1,000 null, unless `exact` asks for the whole count. */
export async function count(
  db: Db,
  scope: Scope,
  filter: TokenFilter,
  now: string,
  exact: boolean,
): Promise<number | null> {
  return countOf(db, filtered(db, scope, filter, now).select('tokens.id'), exact)
}

/** How many user keys, not revoked, each of the owners has; an owner without one is not among them. */
export async function countUserKeys(db: Db, scope: Scope, owners: readonly string[]) {
  if (owners.length === 0) return new Map<string, number>()
  const rows = await db
    .selectFrom('tokens')
    .select((is) => ['owner_id', is.fn.countAll<number>().as('n')])
    .where('owner_id', 'in', owners)
    .where('kind', '=', 'user_key')
    .where('revoked_at', 'is', null)
    .where(ownTokens(scope))
    .groupBy('owner_id')
    .execute()
  return new Map(rows.map(({ owner_id, n }) => [owner_id ?? '', n]))
}

/** How many user keys, not revoked, each owner in scope has in each of the projects. */
export async function countUserKeysIn(db: Db, scope: Scope, projects: readonly string[]) {
  if (projects.length === 0) return []
  return db
    .selectFrom('tokens')
    .select((is) => ['project_id', 'owner_id', is.fn.countAll<number>().as('n')])
    .where('project_id', 'in', projects)
    .where('kind', '=', 'user_key')
    .where('revoked_at', 'is', null)
    .where(ownTokens(scope))
    .groupBy(['project_id', 'owner_id'])
    .execute()
}
