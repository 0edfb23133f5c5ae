import * as links from '../../db/links.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from './context.ts'
import type { secretColumns } from './new-secret.ts'

interface Replacement {
  columns: ReturnType<typeof secretColumns>
  /** The generation the change was decided on. */
  generation: number
  /** Seconds the old secret still opens servers, never past the expiry. */
  grace_seconds: number
  /** When a leak was reported that the new secret does not mend; null = none. */
  leaked_at?: string
}

/** Gives a token another secret and ends its open links; undefined if it was changed in between. */
export async function replaceSecret(
  ctx: Context,
  token: TokenRow,
  { columns, generation, grace_seconds, leaked_at }: Replacement,
): Promise<TokenRow | undefined> {
  const until = new Date(Date.parse(ctx.now) + grace_seconds * 1_000).toISOString()
  const graced = grace_seconds > 0
  const row = await tokens.update(
    ctx.db,
    ctx.scope,
    token.id,
    {
      ...columns,
      generation: generation + 1,
      secret_used_at: null,
      previous_hash: graced ? token.secret_hash : null,
      previous_until: !graced
        ? null
        : token.expires_at !== null && token.expires_at < until
          ? token.expires_at
          : until,
      previous_used_at: null,
      rotated_at: ctx.now,
      updated_at: ctx.now,
      leaked_at: leaked_at ?? null,
    },
    { generation },
  )
  if (row === undefined) return undefined
  await links.endOf(ctx.db, [token.id])
  await tokens.end(ctx.db, token.id, [token.secret_hash, token.previous_hash], ctx.now)
  return row
}
