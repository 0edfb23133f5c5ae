import { z } from 'zod'
import { endToken } from '../../src/core/ending.ts'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { onlyUserKey, targetToken } from '../../src/core/user-keys.ts'
import { shortTokenView, tokenView } from '../../src/core/views/token.ts'
import { showOneWidely, widely, wideToken } from '../../src/core/views/wide-token.ts'

export const revoke_token = operation({
  name: 'revoke_token',
  title: 'Revoke a token',
  description:
    'Ends a token for good: its secret and a predecessor are refused from the next request on, everywhere, and nothing brings it back. The row stays for the record. Use set_token_enabled for a pause that can be lifted, and rotate_token when only the secret has leaked.',
  input: z.strictObject({ token_id: id('token', 'Token to revoke') }),
  output: z.object({ token: tokenView, changed: z.boolean() }),
  short: z.object({ token: shortTokenView, changed: z.boolean() }),
  dialect: { input: widely.extend(onlyUserKey.shape), output: wideToken },
  permission: 'tokens:write',
  effect: 'destroy',
  idempotent: true,
  target: (input, done) => done?.token.id ?? input.token_id,
  async run(ctx, input) {
    const token = await targetToken(ctx, input)
    const revoked = await endToken(ctx, token.id)
    ctx.note({ changed: revoked !== undefined })
    return { token: await showOneWidely(ctx, revoked ?? token, input.show), changed: revoked !== undefined }
  },
})
