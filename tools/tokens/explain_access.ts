import { z } from 'zod'
import { notFound } from '../../src/core/errors.ts'
import { decisionOf, gatewaySteps, judgedOf, serverMeant } from '../../src/core/explain.ts'
import { idOrName } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { requestOf } from '../../src/core/question.ts'
import { findTokenNamed } from '../../src/core/token-state.ts'
import { named } from '../../src/core/views/named.ts'
import { verdicts } from '../../src/domain/verdict.ts'

const texts = z.array(z.string())

/** The rule that decided: what there is of it depends on the check. */
const rule = z
  .object({
    via: z.enum(['all_servers', 'server', 'group']).describe('Allowed: what opens the server.'),
    group: named.describe('Allowed: the group that opens it.'),
    range: z.string().describe('Allowed: the range the address lies in.'),
    matched: z.string().nullable().describe('The pattern of allow that names the tool; null = none does.'),
    allow: texts.describe('Refused: the patterns, none of which names the tool.'),
    deny: z.string().describe('Refused: the pattern that names the tool.'),
    tools: texts.describe('Refused: the tools the server entry lets through.'),
    cause: z.enum(['unknown', 'deleted', 'other_project', 'not_named']).describe('Refused: why no reach.'),
    allowed_ips: texts.nullable(),
    revoked_at: z.string().nullable(),
    disabled_at: z.string().nullable(),
    owner_id: z.string().nullable(),
    not_before: z.string().nullable(),
    expires_at: z.string().nullable(),
    limit: z.int(),
    remaining: z.int(),
    reset: z.int().nullable().describe('Seconds until the window ends; null = never anew.'),
    retry_after: z.int().nullable(),
  })
  .partial()

const step = z.object({
  check: z.string(),
  outcome: z.enum(['passed', 'failed', 'not_asked']),
  detail: z.string(),
})

const output = z.object({
  allowed: z.boolean(),
  reason: z.string(),
  verdict: z.enum(verdicts).describe('What validate_token says; the last three steps are the gateway alone.'),
  decided_by: z.object({
    check: z.string().describe('The first check that failed, or valid.'),
    rule,
  }),
  token_id: z.string(),
  token_name: z.string().nullable(),
  server_id: z.string().nullable().describe('null = there is none of that id, slug or name.'),
  server_slug: z.string().nullable(),
  trace: z.array(step).describe('Every check in its order.'),
})

export const explain_access = operation({
  name: 'explain_access',
  title: 'Explain access',
  description:
    'Explains whether a token may use a server, and there a tool from an address: every check in its order with a sentence, and the rule that decided, such as the group that opens or the pattern that refuses. It is no use of the token. To check a secret use validate_token; to see all that a token reaches use get_token.',
  input: z.strictObject({
    token_id: idOrName('token', 'Token'),
    server: z.string().min(1).max(200).describe('Server: its id, slug or exact name.'),
    tool: z.string().min(1).max(200).optional().describe('Tool of the server.'),
    ip: z.string().max(64).optional().describe('Address it is used from.'),
  }),
  output,
  short: output.extend({
    decided_by: z.object({ check: z.string(), rule: z.record(z.string(), z.unknown()) }),
  }),
  permission: 'tokens:read',
  effect: 'read',
  target: (input, done) => done?.token_id ?? input.token_id,
  async run(ctx, { token_id, server: text, tool, ip }) {
    const asked = requestOf({ tool, ip })
    const token = await findTokenNamed(ctx, token_id)
    const server = await serverMeant(ctx, text)
    const verified = await ctx.verifier.inspect(token.id, { ...asked, server: server?.slug ?? text })
    const judged = await judgedOf(ctx, token, server, verified)
    if (judged === undefined) throw notFound('token', token_id, 'list_magic_tokens shows the ids.')
    const { verdict } = verified
    return {
      ...decisionOf(verdict, judged, server, gatewaySteps(ctx, server, tool)),
      verdict,
      token_id: token.id,
      token_name: token.name,
      server_id: server?.id ?? null,
      server_slug: server?.slug ?? null,
    }
  },
})
