import { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import { endToken } from '../../src/core/ending.ts'
import { longSecret } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { digest, wellFormed } from '../../src/domain/secret.ts'

export const revoke_secret = operation({
  name: 'revoke_secret',
  title: 'Revoke a token by its secret',
  description:
    'Ends the token that a secret belongs to, as revoke_token ends one by its id: for good, from the next request on, and with a replaced secret while its grace lasts as well. A secret of no token in reach, or of a revoked one, changes nothing and is no error, as RFC 7009 wants it. Prefer revoke_token where the id is known.',
  input: z.strictObject({
    token: longSecret('The full secret of the token to revoke. Prefer revoke_token with its id.'),
    token_type_hint: z.string().max(200).optional().describe('Taken and ignored (RFC 7009).'),
  }),
  output: z.object({
    changed: z.boolean().describe('A token was alive and is revoked now.'),
    token_id: z.string().nullable().describe('That token; null = none was.'),
  }),
  permission: 'tokens:write',
  effect: 'destroy',
  faces: ['rest'],
  idempotent: true,
  target: (_, done) => done?.token_id ?? undefined,
  async prepare(ctx, { token }) {
    return wellFormed(token) ? digest(ctx.keys.pepper, token) : undefined
  },
  async run(ctx, _, hash) {
    const found = hash && (await tokens.findBySecret(ctx.db, ctx.scope, hash, ctx.now))
    const revoked = found && (await endToken(ctx, found.id))
    const changed = revoked !== undefined
    ctx.note({ changed })
    return { changed, token_id: revoked?.id ?? null }
  },
})
