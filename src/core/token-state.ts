import * as groups from '../../db/groups.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import * as tokens from '../../db/tokens.ts'
import { isSelf, may } from './actor.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'
import { idsOnly, single } from './found.ts'

/** The token in the caller's scope, whatever its state. */
export async function findToken(ctx: Context, id: string): Promise<TokenRow> {
  const token = await tokens.find(ctx.db, ctx.scope, id)
  if (token === undefined) throw notFound('token', id, 'list_magic_tokens shows the ids.')
  return token
}

/** As `findToken`, by its exact name too: for reads, where the face's contract has names. */
export async function findTokenNamed(ctx: Context, text: string): Promise<TokenRow> {
  const byId = await tokens.find(ctx.db, ctx.scope, text)
  const found = byId ? [byId] : idsOnly(ctx) ? [] : await tokens.findNamed(ctx.db, ctx.scope, text)
  return single(found, { entity: 'token', id: text, next: 'list_magic_tokens shows ids and names.' })
}

/** The token in scope, refused if it is revoked: nothing about a revoked token changes any more. */
export async function changeableToken(ctx: Context, id: string): Promise<TokenRow> {
  const token = await findToken(ctx, id)
  refuseRevoked(token)
  return token
}

export function refuseRevoked({ id, revoked_at }: TokenRow): void {
  if (revoked_at === null) return
  throw dead('revoked', 'The token is revoked, which is final. Make a new one with create_token.', id)
}

/** Refuses a user key that would change itself: its limits are set by others (security R15). */
export function refuseSelf(ctx: Context, id: string): void {
  if (isSelf(ctx.actor, id))
    throw new AppError(
      'forbidden',
      'A key may not change its own limits; an operator does it with update_token.',
    )
}

/** As `changeableToken`, and refused if expired: then only its texts and its expiry may change. */
export async function runningToken(ctx: Context, id: string): Promise<TokenRow> {
  const token = await changeableToken(ctx, id)
  refuseExpired(ctx, token)
  return token
}

export function refuseExpired(ctx: Pick<Context, 'now'>, token: TokenRow): void {
  if (token.expires_at !== null && token.expires_at <= ctx.now) {
    throw dead(
      'expired',
      'The token is expired. Prolong it with update_token (expires_in_days) first.',
      token.id,
    )
  }
}

function dead(reason: string, message: string, id: string): AppError {
  return new AppError('conflict', message, { entity: 'token', id, reason })
}

/** The refusal for the loser of a race: the row no longer was what the caller had read. */
export function raced(id: string): AppError {
  return new AppError('conflict', 'The token was changed at the same time. Read it again with get_token.', {
    entity: 'token',
    id,
    reason: 'race',
  })
}

interface Members {
  groups?: readonly string[] | undefined
  servers?: readonly string[] | undefined
}

/**
 * Answers the ids once each, refusing first what is unknown or out of scope, groups also to callers who may not see them,
 * and then what is deleted.
 */
export async function existingMembers(
  ctx: Context,
  asked: Members,
): Promise<{ groups: string[] | undefined; servers: string[] | undefined }> {
  const foundGroups = asked.groups && (await groupsNamed(ctx, asked.groups))
  const foundServers =
    asked.servers && known('server', asked.servers, await servers.findMany(ctx.db, ctx.scope, asked.servers))
  return {
    groups: foundGroups && alive('group', foundGroups),
    servers: foundServers && alive('server', foundServers),
  }
}

/** As `existingMembers`, of groups alone. */
export async function existingGroups(ctx: Context, ids: readonly string[]): Promise<string[]> {
  return (await existingMembers(ctx, { groups: ids })).groups ?? []
}

/** As `existingMembers`, of servers alone. */
export async function existingServers(ctx: Context, ids: readonly string[]): Promise<string[]> {
  return (await existingMembers(ctx, { servers: ids })).servers ?? []
}

interface Mortal {
  id: string
  deleted_at: string | null
}

async function groupsNamed(ctx: Context, ids: readonly string[]): Promise<Mortal[]> {
  return known('group', ids, may(ctx.actor, 'groups:read') ? await groups.findMany(ctx.db, ids) : [])
}

function known(entity: 'group' | 'server', ids: readonly string[], rows: Mortal[]): Mortal[] {
  const byId = new Map(rows.map((row) => [row.id, row]))
  return [...new Set(ids)].map((id) => {
    const row = byId.get(id)
    if (row === undefined) throw notFound(entity, id, `list_${entity}s shows the ids.`)
    return row
  })
}

function alive(entity: 'group' | 'server', rows: Mortal[]): string[] {
  for (const { id, deleted_at } of rows) {
    const next = `list_${entity}s shows the ids.`
    if (deleted_at !== null) throw new AppError('gone', `That ${entity} is deleted. ${next}`, { entity, id })
  }
  return rows.map(({ id }) => id)
}
