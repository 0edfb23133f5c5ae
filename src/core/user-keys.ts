import { z } from 'zod'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import { isId } from '../domain/id.ts'
import { digest, wellFormed } from '../domain/secret.ts'
import type { Context } from './context.ts'
import { AppError } from './errors.ts'
import { findToken } from './token-state.ts'

/** What a dialect says where only a user key may be meant. */
export const onlyUserKey = z.object({ kind: z.literal('user_key') })

/** Characters of a secret that are shown. */
const prefixLength = 12

/**
 * The token an operation acts on: by id, whatever its state; where a dialect says that a user key is meant, one that is
 * not revoked, also by its shown prefix or its whole secret (enkrypt:keys:address:three-forms).
 */
export async function targetToken(
  ctx: Context,
  { token_id, kind }: { token_id: string; kind?: 'user_key' | undefined },
): Promise<TokenRow> {
  if (kind === undefined) return findToken(ctx, token_id)
  const by = addressed(ctx, token_id)
  const [found, another] = by === undefined ? [] : await tokens.findUserKeys(ctx.db, ctx.scope, by)
  // Without the text, which may be a secret.
  if (found === undefined) {
    throw new AppError('not_found', 'No user key of that id, prefix or secret is in your reach.', {
      entity: 'user key',
    })
  }
  if (another === undefined) return found
  throw new AppError('conflict', 'Several user keys have this prefix; give the id.', {
    entity: 'user key',
    reason: 'ambiguous',
  })
}

function addressed({ keys }: Context, text: string) {
  if (isId('token', text)) return { id: text }
  if (wellFormed(text)) return { secret_hash: digest(keys.pepper, text) }
  return text.length === prefixLength ? { prefix: text } : undefined
}
