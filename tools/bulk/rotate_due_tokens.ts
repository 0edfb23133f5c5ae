import { z } from 'zod'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from '../../src/core/context.ts'
import { deliver, delivery, deliveryView, isModelFace } from '../../src/core/delivery.ts'
import { AppError } from '../../src/core/errors.ts'
import { days, id } from '../../src/core/fields.ts'
import { newSecret } from '../../src/core/new-secret.ts'
import { operation } from '../../src/core/operation.ts'
import { graceSeconds, rotate } from '../../src/core/rotating.ts'
import { requireExisting } from '../../src/core/token-filter.ts'
import { turn } from '../../src/core/turn.ts'
import { brieflyPreviewed, previewed, steps } from '../../src/core/two-steps.ts'
import { daysAfter } from '../../src/domain/lifetime.ts'

/** Somebody has to hand all of these over. */
const most = 100

const input = z.strictObject({
  older_than_days: days.describe('Tokens whose secret was made at least so many days ago.'),
  group_id: id('group', 'Only tokens in this group').optional(),
  owner_id: id('user', 'Only tokens of this user').optional(),
  project_id: id('project', 'Only tokens of this project').optional(),
  grace_seconds: graceSeconds,
  delivery,
  ...steps,
})

const one = z.object({
  id: z.string(),
  name: z.string().nullable(),
  rotated: z.boolean(),
  reason: z.string().nullable().describe('Why it was not rotated.'),
  delivery: deliveryView.nullable(),
})

const output = z.object({
  rotated: z.int().optional(),
  refused: z.int().optional(),
  remaining: z.int().optional().describe('Tokens that are due beyond this call; call again for them.'),
  tokens: z.array(one).optional(),
  ...previewed,
})

export const rotate_due_tokens = operation({
  name: 'rotate_due_tokens',
  title: 'Rotate tokens with old secrets',
  description:
    'Gives a new secret to each active token whose secret is older than asked, the oldest tokens first, up to 100 a call, as rotate_token does for one; all or none if it breaks off. Call it with dry_run first, then with its confirm. A token that policy keeps from it is listed with the reason, and the others go on. Expiry stays: update_token prolongs.',
  input,
  output,
  short: output.extend(brieflyPreviewed),
  permission: 'tokens:write',
  effect: 'change',
  confirms: true,
  touches: due,
  async run(ctx, asked) {
    refuseInline(ctx, asked)
    await requireExisting(ctx, asked)
    const { token_prefix } = await ctx.settings()
    const rows = await due(ctx, asked)
    const all = await tokens.count(ctx.db, ctx.scope, filterOf(ctx, asked), ctx.now, true)
    const done: Done[] = []
    for (const row of rows) {
      await turn(ctx)
      done.push(await rotateOne(ctx, row, { ...asked, ...newSecret(ctx.keys, token_prefix) }))
      ctx.dialogue?.progress(done.length, rows.length)
    }
    const rotated = done.filter((one) => one.rotated).length
    const facts = { rotated, refused: done.length - rotated }
    ctx.note({ ...facts, older_than_days: asked.older_than_days })
    return { ...facts, remaining: (all ?? 0) - rows.length, tokens: done }
  },
  async deliver(ctx, done) {
    const delivered = (done.tokens ?? []).map(async (one) => ({
      ...one,
      delivery: one.delivery === null ? null : await deliver(ctx, one.id, one.delivery),
    }))
    return { ...done, tokens: await Promise.all(delivered) }
  },
})

type Asked = z.output<typeof input>
type Done = z.input<typeof one>

function filterOf({ now }: Context, { older_than_days, group_id, owner_id, project_id }: Asked) {
  const secret_before = daysAfter(now, -older_than_days)
  return { group_id, owner_id, project_id, secret_before, status: ['active'] as const }
}

async function due(ctx: Context, asked: Asked): Promise<TokenRow[]> {
  return tokens.list(ctx.db, ctx.scope, filterOf(ctx, asked), { limit: most, order: 'asc' }, ctx.now)
}

/** So many secrets are too many for a conversation to hold, whatever the policy says of a single one. */
function refuseInline({ via }: Context, { delivery }: Asked): void {
  if (delivery !== 'inline' || !isModelFace(via)) return
  throw new AppError('invalid_input', 'delivery "inline" is not for many secrets here; ask for "link".', {
    field: 'delivery',
  })
}

type New = ReturnType<typeof newSecret>

async function rotateOne(ctx: Context, row: TokenRow, asked: Asked & New): Promise<Done> {
  const { id, name, generation } = row
  const { secret, columns, grace_seconds } = asked
  try {
    const given = { secret, columns, grace_seconds, delivery: asked.delivery }
    const { delivery, facts } = await rotate(ctx, row, { ...given, generation })
    ctx.record({ action: 'rotate_token', target_id: id, details: facts })
    return { id, name, rotated: true, reason: null, delivery }
  } catch (error) {
    // Refused before anything of it was written, so the others can go on.
    if (!(error instanceof AppError) || !['conflict', 'forbidden'].includes(error.code)) throw error
    return { id, name, rotated: false, reason: error.message, delivery: null }
  }
}
