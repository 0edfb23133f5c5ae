import { z } from 'zod'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { days, id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { unchosen } from '../../src/core/parse.ts'
import { revokeTokens } from '../../src/core/revoke-all.ts'
import { requireExisting } from '../../src/core/token-filter.ts'
import { turn } from '../../src/core/turn.ts'
import { brieflyPreviewed, mostNamed, previewed, steps } from '../../src/core/two-steps.ts'
import { daysAfter } from '../../src/domain/lifetime.ts'

/** So many as one transaction revokes without making others wait. */
const most = 1_000
const step = 100

const filters = ['group_id', 'server_id', 'owner_id', 'project_id', 'text', 'unused_for_days'] as const

const input = z.strictObject({
  group_id: id('group', 'Only tokens in this group').optional(),
  server_id: id('server', 'Only tokens that reach this server').optional(),
  owner_id: id('user', 'Only tokens of this user').optional(),
  project_id: id('project', 'Only tokens of this project').optional(),
  text: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Part of the name or description; letter case is ignored.'),
  unused_for_days: days
    .optional()
    .describe('Only tokens that were not used for so many days and are at least as old.'),
  ...steps,
})

const output = z.object({
  revoked: z.int().optional().describe('How many tokens were revoked.'),
  tokens: z
    .array(z.object({ id: z.string(), name: z.string().nullable() }))
    .optional()
    .describe(`${mostNamed} of them at most; list_audit_events has all.`),
  ...previewed,
})

export const revoke_tokens = operation({
  name: 'revoke_tokens',
  title: 'Revoke many tokens',
  description:
    'Ends for good all live tokens that match every filter given, 1,000 at most, all or none of them. Call it with dry_run first: it shows the tokens, the servers they lose and the last use; then with its confirm it revokes exactly those. At least one filter is needed. Use list_magic_tokens to look around and revoke_token for a single token.',
  input,
  output,
  short: output.extend(brieflyPreviewed),
  permission: 'tokens:write',
  effect: 'destroy',
  confirms: true,
  check(asked) {
    if (filters.every((name) => asked[name] === undefined))
      throw unchosen(filters, 'one or more of these must be given')
  },
  touches: (ctx, asked) => matching(ctx, asked),
  async run(ctx, asked) {
    const found = await matching(ctx, asked)
    const revoked = await revokeEach(
      ctx,
      found.map(({ id }) => id),
    )
    const filter = filters.filter((name) => asked[name] !== undefined)
    ctx.note({ revoked, filter: Object.fromEntries(filter.map((name) => [name, asked[name]])) })
    return { revoked, tokens: found.slice(0, mostNamed).map(({ id, name }) => ({ id, name })) }
  },
})

/** A hundred at a time, so that it can tell how far it is and be given up. */
async function revokeEach(ctx: Context, ids: readonly string[]): Promise<number> {
  let revoked = 0
  for (let at = 0; at < ids.length; at += step) {
    await turn(ctx)
    const some = ids.slice(at, at + step)
    revoked += (await revokeTokens(ctx, { ids: some })).revoked_tokens
    ctx.dialogue?.progress(at + some.length, ids.length)
  }
  return revoked
}

async function matching(ctx: Context, asked: z.output<typeof input>): Promise<TokenRow[]> {
  await requireExisting(ctx, asked)
  const { dry_run: _, confirm: __, unused_for_days: unused, ...filter } = asked
  const since = unused === undefined ? undefined : daysAfter(ctx.now, -unused)
  const live = ['active', 'disabled', 'expired'] as const
  // Who was made a moment ago and has not been used yet is not idle.
  const whole = { ...filter, unused_since: since, created_before: since, status: live }
  const { db, scope, now } = ctx
  const found = await tokens.list(db, scope, whole, { limit: most + 1, order: 'asc' }, now)
  if (found.length <= most) return found
  const all = await tokens.count(db, scope, whole, now, true)
  throw new AppError(
    'too_large',
    `${all} tokens match and at most ${most} are revoked in one call. Narrow it with another filter; list_magic_tokens shows them.`,
    { reason: 'too_many' },
  )
}
