import { z } from 'zod'
import { may } from '../../src/core/actor.ts'
import type { Context } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { id, secretString } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { questionMembers, requestOf } from '../../src/core/question.ts'
import { findToken } from '../../src/core/token-state.ts'
import type { Request, Verified } from '../../src/core/verify.ts'
import { limitView } from '../../src/core/views/limit.ts'
import { shortTokenView, showToken, tokenView } from '../../src/core/views/token.ts'
import { reasonOf, statusOf, trace, type Verdict, verdicts } from '../../src/domain/verdict.ts'

const step = z.object({ check: z.string(), outcome: z.enum(['passed', 'failed', 'not_asked']) })

const output = z.object({
  valid: z.boolean(),
  verdict: z.enum([...verdicts, 'invalid']).describe('The first check that failed, or valid.'),
  reason: z.string(),
  would_be: z.enum(verdicts).optional().describe('Inspections: the verdict the secret would get.'),
  trace: z.array(step).optional().describe('Every check in its order.'),
  limit: limitView.optional(),
  token: tokenView.optional(),
})

export const validate_token = operation({
  name: 'validate_token',
  title: 'Validate a token',
  description:
    'Says whether a token is good now, optionally for a server, a tool and an address, and why not. Give the full secret as token to validate it as a server would, which counts as a use, also against its limits; give token_id to inspect a token without its secret, which answers would_be. Prefer token_id in a conversation; use explain_access to learn which rule decides about a server.',
  input: z.strictObject({
    token: secretString('The full secret; nothing else ever validates. Prefer token_id.').optional(),
    token_id: id('token', 'Inspect this token instead of a secret').optional(),
    ...questionMembers,
  }),
  output,
  short: output.extend({ token: shortTokenView.optional() }),
  permission: 'tokens:validate',
  effect: 'read',
  target: (input) => input.token_id,
  async run(ctx, input) {
    const request = requestOf(input)
    if ((input.token === undefined) === (input.token_id === undefined)) {
      throw new AppError('invalid_input', 'Give exactly one of token and token_id.', { field: 'token' })
    }
    return input.token_id === undefined
      ? validate(ctx, input.token ?? '', request)
      : inspect(ctx, input.token_id, request)
  },
})

async function validate(ctx: Context, secret: string, request: Request) {
  const verified = await ctx.verifier.verify(secret, request, { count: true, within: ctx.scope })
  return may(ctx.actor, 'tokens:read') ? told(ctx, verified) : bland(verified)
}

async function inspect(ctx: Context, tokenId: string, request: Request) {
  if (!may(ctx.actor, 'tokens:read')) {
    throw new AppError(
      'forbidden',
      'Inspecting a token by id needs tokens:read; give the secret as token instead.',
    )
  }
  await findToken(ctx, tokenId)
  const verified = await ctx.verifier.inspect(tokenId, request)
  const { verdict } = verified
  const reason =
    verdict === 'valid'
      ? 'Its secret would be accepted; an inspection by id never validates.'
      : reasonOf(verdict)
  return { ...(await told(ctx, verified)), valid: false, reason, would_be: verdict }
}

/** The answer for callers who may read tokens. */
async function told(ctx: Context, { verdict, token, candidate, question, limit }: Verified) {
  const shown = token === undefined ? {} : { token: await showToken(ctx, await findToken(ctx, token.id)) }
  const steps = trace(token === undefined ? undefined : candidate, question)
  return { ...decided(verdict, limit), trace: steps, ...shown }
}

/** The answer for everybody else: why a secret is no good is nobody's business, what it may not do is its holder's (R30). */
function bland({ verdict, limit }: Verified) {
  if (statusOf(verdict) === 401)
    return { valid: false, verdict: 'invalid' as const, reason: 'The token is not valid.' }
  return decided(verdict, limit)
}

function decided(verdict: Verdict, limit: Verified['limit']) {
  const known = { valid: verdict === 'valid', verdict, reason: reasonOf(verdict) }
  return limit === undefined ? known : { ...known, limit }
}
