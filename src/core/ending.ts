import * as keys from '../../db/keys.ts'
import * as links from '../../db/links.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from './context.ts'

/** Ends a token for good, its predecessor and its open links with it; undefined if it had ended before. */
export async function endToken(ctx: Context, id: string): Promise<TokenRow | undefined> {
  const [revoked] = await tokens.revoke(ctx.db, { id }, ctx.scope, ctx.now)
  await links.endOf(ctx.db, [id])
  return revoked
}

/** Ends a management key for good; undefined if it had ended before. */
export async function endKey(ctx: Context, id: string): Promise<TokenRow | undefined> {
  const [revoked] = await keys.revoke(ctx.db, ctx.scope, { id }, ctx.now)
  return revoked
}
