import * as groups from '../../db/groups.ts'
import type { Named } from '../../db/reach.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from './context.ts'
import type { AnyOperation } from './operation.ts'

/** The tokens that may feel a change, and of which servers; undefined = of all there are. */
export interface Touched {
  tokens: TokenRow[]
  among: readonly Named[] | undefined
  /** There are more than were looked at. */
  more: boolean
}

/** Tokens looked at most, and tokens times servers: nobody else writes meanwhile. */
const mostTokens = 1_000
const mostPairs = 20_000

interface Ids {
  token_id?: string
  group_id?: string
  server_id?: string
  config_id?: string
  project_id?: string
  user_id?: string
}

/** Finds them by what the operation says, or else by the ids in its input. */
export async function touchedBy(ctx: Context, operation: AnyOperation, input: object): Promise<Touched> {
  if (operation.touches !== undefined) {
    return { tokens: await operation.touches(ctx, input), among: undefined, more: false }
  }
  const { token_id, group_id, server_id, config_id, project_id, user_id }: Ids = input
  if (token_id !== undefined) {
    const token = await tokens.find(ctx.db, ctx.scope, token_id)
    return { tokens: token === undefined ? [] : [token], among: undefined, more: false }
  }
  if (group_id !== undefined) {
    return bounded(ctx, { group_id }, await groups.serversOf(ctx.db, ctx.scope, [group_id]))
  }
  if (server_id !== undefined || config_id !== undefined) {
    const among =
      server_id === undefined
        ? await servers.listOf(ctx.db, config_id ?? '')
        : await servers.findMany(ctx.db, ctx.scope, [server_id])
    if (among.length === 0) return { tokens: [], among, more: false }
    return bounded(ctx, { server_ids: among.map(({ id }) => id) }, among)
  }
  if (project_id === undefined && user_id === undefined) return { tokens: [], among: undefined, more: false }
  return bounded(ctx, { project_id, owner_id: user_id }, undefined)
}

async function bounded(
  { db, scope, now }: Context,
  filter: tokens.TokenFilter,
  among: readonly Named[] | undefined,
): Promise<Touched> {
  const most =
    among === undefined ? mostTokens : Math.min(mostTokens, Math.floor(mostPairs / (among.length || 1)))
  const live = { ...filter, status: ['active', 'disabled', 'expired'] as const }
  const found = await tokens.list(db, scope, live, { limit: most + 1, order: 'asc' }, now)
  return { tokens: found.slice(0, most), among, more: found.length > most }
}
