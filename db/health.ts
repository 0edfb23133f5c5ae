import { type RawBuilder, sql } from 'kysely'
import type { Db } from './open.ts'
import type { ServerRow } from './schema.ts'

/** How many things live; of user keys also how many are switched off. */
export interface Statistics {
  projects: number
  users: number
  configs: number
  servers: number
  groups: number
  tokens: number
  user_keys: number
  disabled_user_keys: number
}

export async function statistics(db: Db): Promise<Statistics> {
  const live = async (table: 'projects' | 'users' | 'servers' | 'groups') => {
    const query = db.selectFrom(table).where('deleted_at', 'is', null)
    return (await query.select((is) => is.fn.countAll<number>().as('n')).executeTakeFirstOrThrow()).n
  }
  const configs = await db
    .selectFrom('configs')
    .select((is) => is.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow()
  return {
    projects: await live('projects'),
    users: await live('users'),
    configs: configs.n,
    servers: await live('servers'),
    groups: await live('groups'),
    ...(await countTokens(db)),
  }
}

interface Part {
  last: string | null
  tokens: number
  user_keys: number
  disabled_user_keys: number
}

const countedAtOnce = 20_000

/** In parts, so that a million tokens hold nobody up. */
async function countTokens(db: Db): Promise<Omit<Part, 'last'>> {
  const total = { tokens: 0, user_keys: 0, disabled_user_keys: 0 }
  let last: string | null = ''
  while (last !== null) {
    const part = await tokensBehind(db, last)
    for (const name of ['tokens', 'user_keys', 'disabled_user_keys'] as const)
      total[name] += Number(part[name])
    last = part.last
    await new Promise((resolve) => setImmediate(resolve))
  }
  return total
}

async function tokensBehind(db: Db, id: string): Promise<Part> {
  const live = (terms: RawBuilder<unknown>) =>
    sql<number>`coalesce(sum(case when revoked_at is null and ${terms} then 1 else 0 end), 0)`
  const part = await sql<Part>`select max(id) as last,
    ${live(sql`kind = 'access'`)} as tokens,
    ${live(sql`kind = 'user_key'`)} as user_keys,
    ${live(sql`kind = 'user_key' and enabled = 0`)} as disabled_user_keys
    from (select id, kind, revoked_at, enabled from tokens where id > ${id} order by id limit ${countedAtOnce}) as part`.execute(
    db,
  )
  return part.rows[0] ?? { last: null, tokens: 0, user_keys: 0, disabled_user_keys: 0 }
}

/** Servers that keep sealed values, in pages. */
export async function* sealedServers(db: Db): AsyncGenerator<ServerRow[]> {
  for (let last: string | undefined = ''; last !== undefined; ) {
    const rows: ServerRow[] = await db
      .selectFrom('servers')
      .selectAll()
      .where('id', '>', last)
      .where((is) => is.or([is('env', 'is not', null), is('headers', 'is not', null)]))
      .orderBy('id')
      .limit(500)
      .execute()
    yield rows
    last = rows.at(-1)?.id
  }
}

/** Live projects without a configuration: their tokens reach no server. */
export async function projectsWithoutConfig(db: Db): Promise<number> {
  const found = await db
    .selectFrom('projects')
    .where('deleted_at', 'is', null)
    .where('config_id', 'is', null)
    .select((is) => is.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow()
  return found.n
}
