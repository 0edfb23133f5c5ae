import * as leaks from '../../db/leaks.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import { digest, wellFormed } from '../domain/secret.ts'
import { may } from './actor.ts'
import type { Context } from './context.ts'
import { endKey, endToken } from './ending.ts'
import { replaceSecret } from './replacing.ts'

/** A credential of ours, and which of its secrets was seen. */
export interface Holder {
  row: TokenRow
  secret: 'current' | 'predecessor' | 'ended'
  hash: Buffer
}

/** Which credentials the caller may hear of: management keys are for those who may list them, and for themselves. */
export function reachOf({ actor, scope }: Pick<Context, 'actor' | 'scope'>): leaks.Reach {
  return { scope, management: actor.kind === 'reporter' || may(actor, 'system:read') }
}

/** Whose secret this is or was; looking is no use of it. Undefined where it is none that the caller may hear of. */
export async function holderOf(ctx: Context, secret: string): Promise<Holder | undefined> {
  if (!wellFormed(secret)) return undefined
  const hash = digest(ctx.keys.pepper, secret)
  const row = await leaks.holderOf(ctx.db, reachOf(ctx), hash)
  return row && { row, secret: standing(row, hash, ctx.now), hash }
}

function standing(row: TokenRow, hash: Buffer, now: string): Holder['secret'] {
  if (row.revoked_at !== null) return 'ended'
  if (row.secret_hash.equals(hash)) return 'current'
  const graced = row.previous_until !== null && now < row.previous_until
  return graced && row.previous_hash?.equals(hash) === true ? 'predecessor' : 'ended'
}

/** Marks the credential as leaked; its row. */
export async function markLeaked(ctx: Context, row: TokenRow): Promise<TokenRow> {
  return (await leaks.mark(ctx.db, reachOf(ctx), row.id, ctx.now)) ?? row
}

/** Ends the credential with all its secrets; the row, which says that it had leaked. */
export async function endLeaked(ctx: Context, row: TokenRow): Promise<TokenRow> {
  const marked = await markLeaked(ctx, row)
  const end = row.kind === 'management' ? endKey : endToken
  return (await end(ctx, row.id)) ?? marked
}

/** Ends the replaced secret alone: its successor was not seen. */
export async function endLeakedPredecessor(ctx: Context, { row, hash }: Holder): Promise<TokenRow> {
  const ended = await leaks.endPredecessor(ctx.db, reachOf(ctx), row.id, hash, ctx.now)
  await tokens.end(ctx.db, row.id, [hash], ctx.now)
  return ended ?? row
}

type Columns = Parameters<typeof replaceSecret>[2]['columns']

/** Gives the token a secret that nobody has: the leaked one is dead at once, and rotate_token hands out the next. */
export async function withholdSecret(ctx: Context, row: TokenRow, columns: Columns): Promise<TokenRow> {
  const { generation } = row
  const leaked_at = row.leaked_at ?? ctx.now
  return (await replaceSecret(ctx, row, { columns, generation, grace_seconds: 0, leaked_at })) ?? row
}
