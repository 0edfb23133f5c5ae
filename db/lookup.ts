import { sql } from 'kysely'
import type { Counted } from '../src/domain/use-limits.ts'
import { countedOf } from './limits.ts'
import type { Db, Prepared, Store } from './open.ts'
import { slot } from './prepare.ts'
import { inReach } from './reach.ts'
import type { ServerRow } from './schema.ts'

/** What validation reads of a token: one row, found by the digest of the secret. */
export interface FoundToken {
  id: string
  kind: 'access' | 'user_key' | 'management'
  role: 'admin' | 'operator' | 'reader' | 'validator' | null
  name: string | null
  owner_id: string | null
  project_id: string | null
  all_servers: number
  allowed_ips: string | null
  tool_rules: string | null
  not_before: string | null
  expires_at: string | null
  enabled: number
  revoked_at: string | null
  generation: number
  secret_hash: Buffer
  secret_used_at: string | null
  previous_until: string | null
  previous_used_at: string | null
  limit_requests: number | null
  limit_seconds: number | null
  max_uses: number | null
  owner_active: number
}

/** What the gateway reads of a server. */
export type FoundEntry = Pick<
  ServerRow,
  'id' | 'slug' | 'command' | 'args' | 'env' | 'url' | 'headers' | 'tools'
> &
  Pick<ServerRow, 'input_guardrails' | 'output_guardrails'>

/** Who and what is behind a token, beside its own row; slugs stand in the order of their bytes, a blank between two. */
export interface FoundIdentity {
  created_at: string
  owner_email: string | null
  project_name: string | null
  groups: string | null
  /** Those it reaches now; present where they were asked for. */
  servers?: string | null
}

/** The prepared statements of validation (security R46). */
export interface Lookups {
  bySecret: Prepared<FoundToken>
  byPrevious: Prepared<FoundToken>
  byId: Prepared<FoundToken>
  /** Arguments: token id, all_servers, project id, server (id or slug). */
  reached: Prepared<{ id: string; slug: string }>
  /** The live server of that slug, with what the gateway needs of it. */
  entry: Prepared<FoundEntry>
  /** The names around a token, by its id. */
  identity: Prepared<FoundIdentity>
  /** As `identity`, with the servers it reaches. */
  identityAndReach: Prepared<FoundIdentity>
  /** Which token a secret that was ended on purpose belonged to. */
  ended: Prepared<{ token_id: string }>
  /** What is counted against the limits of a token. */
  counted: Prepared<Counted>
}

/** Prepares them all on the store's own look-up connection. */
export function prepareLookups(store: Store): Lookups {
  return {
    bySecret: remembering(
      store,
      store.prepare((db) => found(db).where('tokens.secret_hash', '=', slot(0))),
      ([hash]) => (hash as Buffer).toString('latin1'),
    ),
    byPrevious: store.prepare((db) => found(db).where('tokens.previous_hash', '=', slot(0))),
    byId: store.prepare((db) => found(db).where('tokens.id', '=', slot(0))),
    reached: store.prepare(reached),
    entry: store.prepare((db) => entries(db).where('slug', '=', slot(0))),
    identity: remembering(store, store.prepare(identity), ([id]) => String(id)),
    identityAndReach: remembering(
      store,
      store.prepare((db) => identity(db).select(reachedSlugs.as('servers'))),
      ([id]) => String(id),
      ({ servers }) => (servers?.length ?? 0) <= longestRemembered,
    ),
    ended: store.prepare((db) =>
      db.selectFrom('revocations').select('token_id').where('token_hash', '=', slot(0)),
    ),
    counted: store.prepare(countedOf),
  }
}

/** An owner counts as active while enabled and, for a token bound to a project, a member of it. */
const ownerActive = sql<number>`case when tokens.owner_id is null or exists (
  select 1 from users u where u.id = tokens.owner_id and u.enabled = 1 and u.deleted_at is null
  and (tokens.project_id is null or exists (select 1 from project_members m
    where m.project_id = tokens.project_id and m.user_id = tokens.owner_id))) then 1 else 0 end`

function found(db: Db) {
  return db
    .selectFrom('tokens')
    .select([
      'tokens.id',
      'tokens.kind',
      'tokens.role',
      'tokens.name',
      'tokens.owner_id',
      'tokens.project_id',
      'tokens.all_servers',
      'tokens.allowed_ips',
      'tokens.tool_rules',
      'tokens.not_before',
      'tokens.expires_at',
      'tokens.enabled',
      'tokens.revoked_at',
      'tokens.generation',
      'tokens.secret_hash',
      'tokens.secret_used_at',
      'tokens.previous_until',
      'tokens.previous_used_at',
      'tokens.limit_requests',
      'tokens.limit_seconds',
      'tokens.max_uses',
      ownerActive.as('owner_active'),
    ])
}

/** Rows remembered at most: the tokens in use, not the tokens there are. */
const mostRemembered = 20_000

/** Characters of a list that is remembered with a row. */
const longestRemembered = 1_024

/**
 * Answers from memory while the store is at the version it was read at: the next commit by anybody ends it all, so a
 * revocation acts on the next request (security R46). Where the store has no version, nothing is remembered.
 */
function remembering<Row>(
  store: Store,
  find: Prepared<Row>,
  keyOf: (args: readonly unknown[]) => string,
  isSmall: (row: Row) => boolean = () => true,
): Prepared<Row> {
  const { version } = store
  if (version === undefined) return find
  const known = new Map<string, Row>()
  let at = version()
  return (args) => {
    const now = version()
    if (now !== at) {
      known.clear()
      at = now
    }
    const key = keyOf(args)
    const row = known.get(key)
    if (row !== undefined) return row
    const read = find(args)
    if (read !== undefined && !(read instanceof Promise) && isSmall(read)) {
      if (known.size >= mostRemembered) known.clear()
      known.set(key, read)
    }
    return read
  }
}

const groupSlugs = sql<string | null>`(select string_agg("groups".slug, ' ' order by "groups".slug)
  from token_groups join "groups" on "groups".id = token_groups.group_id and "groups".deleted_at is null
  where token_groups.token_id = tokens.id)`

const reachedSlugs = sql<string | null>`(select string_agg(servers.slug, ' ' order by servers.slug)
  from servers where servers.deleted_at is null and ${inReach})`

function identity(db: Db) {
  return db
    .selectFrom('tokens')
    .leftJoin('users', 'users.id', 'tokens.owner_id')
    .leftJoin('projects', 'projects.id', 'tokens.project_id')
    .select([
      'tokens.created_at',
      'users.email as owner_email',
      'projects.name as project_name',
      groupSlugs.as('groups'),
    ])
    .where('tokens.id', '=', slot(0))
}

/** A server in reach: named by the token or a group of it, or any under `all_servers`, and never outside its project. */
function reached(db: Db) {
  const token = slot(0)
  return db
    .selectFrom('servers')
    .select(['servers.id', 'servers.slug'])
    .where('servers.deleted_at', 'is', null)
    .where((is) => is.or([is('servers.id', '=', slot(3)), is('servers.slug', '=', slot(3))]))
    .where((is) =>
      is.or([
        sql<boolean>`cast(${slot(2)} as text) is null`,
        is.exists(
          is
            .selectFrom('projects')
            .select('projects.id')
            .where('projects.id', '=', slot(2))
            .whereRef('projects.config_id', '=', 'servers.config_id'),
        ),
      ]),
    )
    .where((is) =>
      is.or([
        sql<boolean>`cast(${slot(1)} as integer) = 1`,
        is.exists(
          is
            .selectFrom('token_servers')
            .select('server_id')
            .where('token_id', '=', token)
            .whereRef('server_id', '=', 'servers.id'),
        ),
        is.exists(
          is
            .selectFrom('token_groups')
            .innerJoin('group_servers', 'group_servers.group_id', 'token_groups.group_id')
            .select('group_servers.server_id')
            .where('token_groups.token_id', '=', token)
            .whereRef('group_servers.server_id', '=', 'servers.id'),
        ),
      ]),
    )
}

function entries(db: Db) {
  return db
    .selectFrom('servers')
    .select([
      'servers.id',
      'servers.slug',
      'servers.command',
      'servers.args',
      'servers.env',
      'servers.url',
      'servers.headers',
      'servers.tools',
      'servers.input_guardrails',
      'servers.output_guardrails',
    ])
    .where('servers.deleted_at', 'is', null)
}

/** The servers a token reaches now, in id order. */
export function entriesOf(db: Db, tokenId: string): Promise<FoundEntry[]> {
  return entries(db)
    .innerJoin('tokens', (join) => join.on(inReach))
    .where('tokens.id', '=', tokenId)
    .orderBy('servers.id')
    .execute()
}

/** These tokens as validation reads them; what is not there is left out. */
export function findTokens(db: Db, ids: readonly string[]): Promise<FoundToken[]> {
  return ids.length === 0 ? Promise.resolve([]) : found(db).where('tokens.id', 'in', ids).execute()
}

/** Which of these tokens reach which of these servers, by slug. */
export async function reaching(
  db: Db,
  tokenIds: readonly string[],
  slugs: readonly string[],
): Promise<{ token_id: string; slug: string }[]> {
  if (tokenIds.length === 0 || slugs.length === 0) return []
  return db
    .selectFrom('tokens')
    .innerJoin('servers', (join) => join.on('servers.deleted_at', 'is', null).on(inReach))
    .select(['tokens.id as token_id', 'servers.slug'])
    .where('tokens.id', 'in', tokenIds)
    .where('servers.slug', 'in', slugs)
    .execute()
}
