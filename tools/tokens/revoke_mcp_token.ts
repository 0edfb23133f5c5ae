import { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import { endToken } from '../../src/core/ending.ts'
import { notFound } from '../../src/core/errors.ts'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { signedIn } from '../../src/core/signed-in.ts'
import { showUnreaching, tokenView } from '../../src/core/views/token.ts'

export const revoke_mcp_token = operation({
  name: 'revoke_mcp_token',
  title: 'Revoke an MCP token',
  description:
    'Ends for good a token that generate_mcp_token made for the person who signs in for this call, with e-mail and password beside the input. It is refused from the next request on, everywhere. Tokens that others made are out of reach; revoke_token with a management key ends any.',
  input: z.strictObject({ token_id: id('token', 'Token to revoke') }),
  output: z.object({ token: tokenView, changed: z.boolean() }),
  permission: 'tokens:generate',
  effect: 'destroy',
  faces: ['rest', 'cli'],
  credential: 'password',
  idempotent: true,
  target: (input) => input.token_id,
  async run(ctx, { token_id }) {
    const user = await signedIn(ctx)
    const token = await tokens.find(ctx.db, ctx.scope, token_id)
    if (user === undefined || token === undefined || token.created_by !== user.id) {
      throw notFound('token', token_id, 'generate_mcp_token answers the id.')
    }
    const revoked = await endToken(ctx, token.id)
    ctx.note({ changed: revoked !== undefined })
    return { token: await showUnreaching(ctx, revoked ?? token), changed: revoked !== undefined }
  },
})
