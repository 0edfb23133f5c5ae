import { z } from 'zod'
import type { Context } from '../../src/core/context.ts'
import { longSecret } from '../../src/core/fields.ts'
import { type Identity, identityOf } from '../../src/core/identity.ts'
import { operation } from '../../src/core/operation.ts'
import { questionMembers, requestOf } from '../../src/core/question.ts'
import type { LimitState } from '../../src/core/verify.ts'
import { limitView } from '../../src/core/views/limit.ts'

const seconds = z.int().describe('Seconds since 1970-01-01T00:00:00Z.')

const output = z.object({
  active: z.boolean().describe('The token is good, for what was asked. Without it there is no other member.'),
  token_type: z.literal('Bearer').optional(),
  client_id: z.string().optional().describe('The id of the token.'),
  jti: z.string().optional().describe('The id of the token.'),
  sub: z.string().optional().describe('The id of its owner; without one that of the token.'),
  username: z.string().optional().describe('The e-mail of its owner.'),
  iss: z.string().optional().describe('The address of this server.'),
  iat: seconds.optional(),
  nbf: seconds.optional(),
  exp: seconds.optional(),
  scope: z.string().optional().describe('Slugs of the servers it reaches now, a blank between two.'),
  name: z.string().nullable().optional(),
  kind: z.enum(['access', 'user_key']).optional(),
  project_id: z.string().nullable().optional(),
  groups: z.array(z.string()).optional().describe('Slugs of its groups.'),
  servers: z.array(z.string()).optional().describe('As scope, as a list.'),
  limit: limitView.optional(),
})

export const introspect_token = operation({
  name: 'introspect_token',
  title: 'Introspect a token',
  description:
    'Answers whether a secret is a good token now, optionally for a server, a tool and an address, and whose it is, in the members of RFC 7662; it counts as a use. Everything else gets the one answer {"active":false}; validate_token tells the reason, and get_token shows a token by its id.',
  input: z.strictObject({
    token: longSecret('The full secret; nothing else is ever active.'),
    token_type_hint: z.string().max(200).optional().describe('Taken and ignored (RFC 7662).'),
    ...questionMembers,
  }),
  output,
  permission: 'tokens:validate',
  effect: 'read',
  faces: ['rest'],
  async run(ctx, input) {
    const options = { count: true, within: ctx.scope }
    const verified = await ctx.verifier.verify(input.token, requestOf(input), options)
    if (verified.verdict !== 'valid') return { active: false }
    const identity = await identityOf(ctx, verified, { servers: true })
    return identity === undefined ? { active: false } : active(ctx, identity, verified.limit)
  },
})

async function active(
  { host }: Context,
  identity: Identity,
  limit: LimitState | undefined,
): Promise<z.input<typeof output>> {
  const { id, kind, name, owner_id, owner_email, project_id, groups, servers = [] } = identity
  const { created_at, not_before, expires_at } = identity
  const iss = await host.revealBase()
  const told: z.input<typeof output> = {
    active: true,
    token_type: 'Bearer',
    client_id: id,
    jti: id,
    sub: owner_id ?? id,
    iat: secondsOf(created_at),
    scope: servers.join(' '),
    name,
    kind,
    project_id,
    groups,
    servers,
  }
  if (owner_email !== null) told.username = owner_email
  if (iss !== null) told.iss = iss.replace(/\/$/, '')
  if (not_before !== null) told.nbf = secondsOf(not_before)
  if (expires_at !== null) told.exp = secondsOf(expires_at)
  if (limit !== undefined) told.limit = limit
  return told
}

function secondsOf(iso: string): number {
  return Math.floor(Date.parse(iso) / 1_000)
}
