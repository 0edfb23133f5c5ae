import { sql } from 'kysely'
import type { Db } from './open.ts'

/** A group or a server as a token shows it. */
export interface Named {
  id: string
  slug: string
  name: string | null
}

/** The live groups of each token, in id order. */
export async function groupsOf(db: Db, tokenIds: readonly string[]): Promise<Map<string, Named[]>> {
  if (tokenIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('token_groups')
    .innerJoin('groups', 'groups.id', 'token_groups.group_id')
    .select(['token_groups.token_id as of', 'groups.id', 'groups.slug', 'groups.name'])
    .where('token_groups.token_id', 'in', tokenIds)
    .orderBy('groups.id')
    .execute()
  return collect(rows)
}

/** The live servers each token names, in id order. */
export async function serversOf(db: Db, tokenIds: readonly string[]): Promise<Map<string, Named[]>> {
  if (tokenIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('token_servers')
    .innerJoin('servers', 'servers.id', 'token_servers.server_id')
    .select(['token_servers.token_id as of', 'servers.id', 'servers.slug', 'servers.name'])
    .where('token_servers.token_id', 'in', tokenIds)
    .orderBy('servers.id')
    .execute()
  return collect(rows)
}

/** The live servers each token reaches now: by name, through its groups, or all in its range; never outside its project. */
export async function reachedBy(db: Db, tokenIds: readonly string[]): Promise<Map<string, Named[]>> {
  if (tokenIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('tokens')
    .innerJoin('servers', (join) => join.on('servers.deleted_at', 'is', null).on(inReach))
    .select(['tokens.id as of', 'servers.id', 'servers.slug', 'servers.name'])
    .where('tokens.id', 'in', tokenIds)
    .orderBy('servers.id')
    .execute()
  return collect(rows)
}

/** The live servers that at least one of the tokens reaches, whatever the state of the tokens, in id order. */
export async function reachedByAny(db: Db, tokenIds: readonly string[]): Promise<Named[]> {
  if (tokenIds.length === 0) return []
  return db
    .selectFrom('servers')
    .select(['servers.id', 'servers.slug', 'servers.name'])
    .where('servers.deleted_at', 'is', null)
    .where((is) =>
      is.exists(
        is.selectFrom('tokens').select('tokens.id').where('tokens.id', 'in', tokenIds).where(inReach),
      ),
    )
    .orderBy('servers.id')
    .execute()
}

/** How a token came to name a server: by itself, and by which of its live groups, in id order. */
export async function waysTo(
  db: Db,
  tokenId: string,
  serverId: string,
): Promise<{ named: boolean; groups: Named[] }> {
  const named = await db
    .selectFrom('token_servers')
    .select('server_id')
    .where('token_id', '=', tokenId)
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  const groups = await db
    .selectFrom('token_groups')
    .innerJoin('group_servers', 'group_servers.group_id', 'token_groups.group_id')
    .innerJoin('groups', 'groups.id', 'token_groups.group_id')
    .select(['groups.id', 'groups.slug', 'groups.name'])
    .where('token_groups.token_id', '=', tokenId)
    .where('group_servers.server_id', '=', serverId)
    .orderBy('groups.id')
    .execute()
  return { named: named !== undefined, groups }
}

/** A row of `servers` is in reach of a row of `tokens`. */
export const inReach = sql<boolean>`(tokens.project_id is null or servers.config_id =
    (select p.config_id from projects p where p.id = tokens.project_id))
  and (tokens.all_servers = 1
    or exists (select 1 from token_servers ts where ts.token_id = tokens.id and ts.server_id = servers.id)
    or exists (select 1 from token_groups tg join group_servers gs on gs.group_id = tg.group_id
      where tg.token_id = tokens.id and gs.server_id = servers.id))`

function collect(rows: (Named & { of: string })[]): Map<string, Named[]> {
  const found = new Map<string, Named[]>()
  for (const { of, ...thing } of rows) found.set(of, [...(found.get(of) ?? []), thing])
  return found
}

/** Puts a token into groups; answers how many memberships are new. */
export async function addGroups(db: Db, tokenId: string, groupIds: readonly string[]): Promise<number> {
  if (groupIds.length === 0) return 0
  const rows = groupIds.map((group_id) => ({ token_id: tokenId, group_id }))
  const added = await db
    .insertInto('token_groups')
    .values(rows)
    .onConflict((same) => same.doNothing())
    .execute()
  return changed(added.map((result) => result.numInsertedOrUpdatedRows))
}

/** Takes a token out of groups; answers how many memberships ended. */
export async function removeGroups(db: Db, tokenId: string, groupIds: readonly string[]): Promise<number> {
  if (groupIds.length === 0) return 0
  const removed = await db
    .deleteFrom('token_groups')
    .where('token_id', '=', tokenId)
    .where('group_id', 'in', groupIds)
    .execute()
  return changed(removed.map((result) => result.numDeletedRows))
}

/** Sets exactly these groups; answers whether anything changed. */
export async function setGroups(db: Db, tokenId: string, groupIds: readonly string[]): Promise<boolean> {
  const now = (await groupsOf(db, [tokenId])).get(tokenId) ?? []
  const gone = now.map((group) => group.id).filter((id) => !groupIds.includes(id))
  const removed = await removeGroups(db, tokenId, gone)
  return (await addGroups(db, tokenId, groupIds)) + removed > 0
}

/** Sets exactly these explicit servers; answers whether anything changed. */
export async function setServers(db: Db, tokenId: string, serverIds: readonly string[]): Promise<boolean> {
  let removal = db.deleteFrom('token_servers').where('token_id', '=', tokenId)
  if (serverIds.length > 0) removal = removal.where('server_id', 'not in', serverIds)
  const removed = await removal.execute()
  if (serverIds.length === 0) return changed(removed.map((result) => result.numDeletedRows)) > 0
  const rows = serverIds.map((server_id) => ({ token_id: tokenId, server_id }))
  const added = await db
    .insertInto('token_servers')
    .values(rows)
    .onConflict((same) => same.doNothing())
    .execute()
  return (
    changed([...removed.map((r) => r.numDeletedRows), ...added.map((r) => r.numInsertedOrUpdatedRows)]) > 0
  )
}

function changed(counts: (bigint | undefined)[]): number {
  return counts.reduce<number>((sum, count) => sum + Number(count ?? 0n), 0)
}
