import { z } from 'zod'
import * as keys from '../../db/keys.ts'
import * as links from '../../db/links.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from './context.ts'

/** What is told of tokens that were revoked together. */
export const revoked = {
  revoked_tokens: z.int().describe('How many tokens were revoked.'),
  revoked_user_keys: z.int().describe('How many of them were user keys.'),
}

/** Revokes all live tokens of those ids, of an owner, of a project, of its members, or of an owner in a project; each gets its own row in the trail. */
export async function revokeTokens(
  ctx: Context,
  which:
    | { ids: readonly string[] }
    | { owner_id: string; project_id?: string; kind?: 'user_key' }
    | { project_id: string; of_members?: true },
) {
  const rows = await tokens.revoke(ctx.db, which, ctx.scope, ctx.now)
  await links.endOf(
    ctx.db,
    rows.map(({ id }) => id),
  )
  for (const { id } of rows) ctx.record({ action: 'revoke_token', target_id: id })
  const userKeys = rows.filter(({ kind }) => kind === 'user_key')
  return { revoked_tokens: rows.length, revoked_user_keys: userKeys.length }
}

/** Revokes the management keys that are bound to a project; each gets its own row in the trail. */
export async function revokeKeys(ctx: Context, projectId: string): Promise<number> {
  const rows = await keys.revoke(ctx.db, ctx.scope, { project_id: projectId }, ctx.now)
  for (const { id } of rows) ctx.record({ action: 'revoke_management_key', target_id: id })
  return rows.length
}
