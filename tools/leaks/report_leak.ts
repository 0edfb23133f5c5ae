import { z } from 'zod'
import type { TokenRow } from '../../db/schema.ts'
import { isSelf, may } from '../../src/core/actor.ts'
import type { Context } from '../../src/core/context.ts'
import { chooseDelivery, deliver, delivery, deliveryView, handOver } from '../../src/core/delivery.ts'
import { AppError, lacking } from '../../src/core/errors.ts'
import { clean, id, longSecret } from '../../src/core/fields.ts'
import {
  endLeaked,
  endLeakedPredecessor,
  type Holder,
  holderOf,
  markLeaked,
  withholdSecret,
} from '../../src/core/leaked.ts'
import { refuseWider } from '../../src/core/limits.ts'
import { newSecret } from '../../src/core/new-secret.ts'
import { operation } from '../../src/core/operation.ts'
import { replaceSecret } from '../../src/core/replacing.ts'
import { policyFor, policyRefusal } from '../../src/core/token-policy.ts'
import { findToken, raced } from '../../src/core/token-state.ts'
import { shortTokenView, showToken, tokenView } from '../../src/core/views/token.ts'
import { leakActions } from '../../src/domain/settings.ts'

/** What came of a report, and what to do next. */
const results = {
  revoked: 'It is refused from now on. create_token makes another where one is still needed.',
  rotated: 'The leaked secret is refused from now on; hand the new one to whoever uses the token.',
  withheld:
    'The leaked secret is refused from now on, and nobody has the new one: rotate_token hands one out, or says what to mend first.',
  predecessor_ended: 'The replaced secret is refused from now on; the current one was not seen and stays.',
  marked: 'It still works. Warn its owner, then end it with revoke_token or replace it with rotate_token.',
  already_ended: 'That secret was refused before; nothing had to be done.',
  unknown: 'It is no secret in your reach; nothing was done.',
} as const

type Result = keyof typeof results

const output = z.object({
  result: z
    .enum(Object.keys(results) as [Result, ...Result[]])
    .describe('What was done; withheld = replaced by a secret nobody has, marked = it still works.'),
  token: tokenView.nullable().describe('The token, if it was one in reach.'),
  key_id: z.string().nullable().describe('The management key, if it was one.'),
  delivery: deliveryView.nullable().describe('The new secret, if the token got one.'),
  next: z.string().describe('What to tell the user.'),
})

export const report_leak = operation({
  name: 'report_leak',
  title: 'Report a leaked secret',
  description:
    'Answers a leak at once: ends the token (revoke), gives it another secret without grace (rotate), or only marks it and warns the operator (notify); without an action the policy of the instance decides. Give token_id where it is known, or the secret as it was found. Use revoke_token and rotate_token where nothing has leaked.',
  input: z.strictObject({
    token_id: id('token', 'Token whose secret has leaked').optional(),
    secret: longSecret('The secret as it was found; prefer token_id.').optional(),
    where: clean('line')
      .max(500)
      .optional()
      .describe('Where it was seen, such as a URL; for the trail only.'),
    action: z.enum(leakActions).optional().describe('What to do; default: the setting leak_action.'),
    delivery,
  }),
  output,
  short: output.extend({ token: shortTokenView.nullable() }),
  permission: 'tokens:write',
  effect: 'destroy',
  check({ token_id, secret }) {
    if ((token_id === undefined) !== (secret === undefined)) return
    throw new AppError('invalid_input', 'Give exactly one of token_id and secret.', { field: 'token_id' })
  },
  target: (input, done) => done?.token?.id ?? done?.key_id ?? input.token_id,
  // A token reaches nothing but itself, so a secret it hands in is its own or unknown.
  permitsSelf: (actor, { token_id }) =>
    actor.kind === 'reporter' || (token_id === undefined ? actor.kind === 'access' : isSelf(actor, token_id)),
  async prepare(ctx, input) {
    const { leak_action, token_prefix } = await ctx.settings()
    const action = input.action ?? leak_action
    return { action, ...newSecret(ctx.keys, token_prefix) }
  },
  async run(ctx, input, prepared) {
    const holder = await seen(ctx, input)
    const { action } = prepared
    ctx.note({ action, where: input.where ?? null, by: input.secret === undefined ? 'id' : 'secret' })
    if (holder === undefined) return told(ctx, 'unknown', undefined)
    refuseForeignKey(ctx, holder.row)
    const { result, row } = await treated(ctx, holder, prepared)
    if (result !== 'rotated') return told(ctx, result, row)
    const kind = chooseDelivery(ctx, input.delivery, await policyFor(ctx, row.project_id))
    return { ...(await told(ctx, result, row)), delivery: await handOver(ctx, row.id, prepared.secret, kind) }
  },
  async deliver(ctx, done) {
    const { result, token, key_id } = done
    if (result !== 'unknown')
      ctx.host.warn('a secret was reported as leaked', { result, id: token?.id ?? key_id })
    if (token === null || done.delivery === null) return done
    return { ...done, delivery: await deliver(ctx, token.id, done.delivery) }
  },
})

/** The credential that is meant, in reach of the caller. */
async function seen(
  ctx: Context,
  { token_id = '', secret }: { token_id?: string | undefined; secret?: string | undefined },
): Promise<Holder | undefined> {
  if (secret !== undefined) return holderOf(ctx, secret)
  const row = await findToken(ctx, token_id)
  return { row, secret: row.revoked_at === null ? 'current' : 'ended', hash: row.secret_hash }
}

/** A person ends a management key only as far as revoke_management_key would let them, but each key itself. */
function refuseForeignKey({ actor }: Context, { kind, id }: TokenRow): void {
  if (kind !== 'management' || actor.kind === 'reporter' || may(actor, 'system:write')) return
  if (!('id' in actor && actor.id === id)) throw lacking('report_leak', 'system:write')
}

interface Treated {
  result: Result
  row: TokenRow
}

type Prepared = Awaited<ReturnType<NonNullable<typeof report_leak.prepare>>>

async function treated(ctx: Context, holder: Holder, { action, columns }: Prepared): Promise<Treated> {
  const { row, secret } = holder
  if (secret === 'ended') return { result: 'already_ended', row }
  if (action === 'notify') return { result: 'marked', row: await markLeaked(ctx, row) }
  if (secret === 'predecessor')
    return { result: 'predecessor_ended', row: await endLeakedPredecessor(ctx, holder) }
  if (action === 'revoke' || row.kind === 'management')
    return { result: 'revoked', row: await endLeaked(ctx, row) }
  // An expired token opens nothing, but would again with the leaked secret once it was prolonged.
  const isExpired = row.expires_at !== null && row.expires_at <= ctx.now
  if (ctx.actor.kind !== 'reporter' && !isExpired) await refuseWider(ctx, row)
  // What keeps a token from a new secret is no reason to leave it the leaked one.
  if (ctx.actor.kind === 'reporter' || isExpired || (await policyRefusal(ctx, row)) !== undefined)
    return { result: 'withheld', row: await withholdSecret(ctx, row, columns) }
  const { generation } = row
  const rotated = await replaceSecret(ctx, row, { columns, generation, grace_seconds: 0 })
  if (rotated === undefined) throw raced(row.id)
  return { result: 'rotated', row: rotated }
}

async function told(ctx: Context, result: Result, row: TokenRow | undefined) {
  ctx.note({ result })
  const isKey = row?.kind === 'management'
  return {
    result,
    token: row === undefined || isKey ? null : await showToken(ctx, row),
    key_id: isKey ? row.id : null,
    delivery: null,
    next: results[result],
  }
}
