import { z } from 'zod'
import type { TokenRow } from '../../db/schema.ts'
import type { DeliveryKind } from '../domain/settings.ts'
import type { Context } from './context.ts'
import { chooseDelivery, type DeliveryView, handOver, type Page } from './delivery.ts'
import { refuseWider } from './limits.ts'
import type { newSecret } from './new-secret.ts'
import { replaceSecret } from './replacing.ts'
import { policyFor, requirePolicy } from './token-policy.ts'
import { raced } from './token-state.ts'

/** How long a replaced secret stays open; an argument of whatever rotates. */
export const graceSeconds = z
  .int()
  .min(0)
  .max(86_400)
  .default(0)
  .describe(
    'How long the old secret still opens servers; 0 = not at all, at most 86400 and never past the expiry.',
  )

interface Asked extends ReturnType<typeof newSecret> {
  /** The generation the change was decided on. */
  generation: number
  grace_seconds: number
  delivery: DeliveryKind | undefined
  /** Where a person wants to sign in and see it. */
  page?: Page | undefined
}

interface Rotated {
  row: TokenRow
  delivery: DeliveryView
  /** For the trail. */
  facts: { grace_seconds: number; generation: number; delivery: DeliveryKind }
}

/** Gives a running token another secret as its policy allows, and hands that over; refused before anything is written. */
export async function rotate(ctx: Context, token: TokenRow, asked: Asked): Promise<Rotated> {
  const { secret, columns, generation, grace_seconds } = asked
  const kind = chooseDelivery(ctx, asked.delivery, await policyFor(ctx, token.project_id))
  await refuseRotation(ctx, token)
  const row = await replaceSecret(ctx, token, { columns, generation, grace_seconds })
  if (row === undefined) throw raced(token.id)
  const delivery = await handOver(ctx, row.id, secret, kind, asked.page)
  return { row, delivery, facts: { grace_seconds, generation: row.generation, delivery: kind } }
}

/** Refuses a new secret for a token that reaches beyond the caller, or that nobody could make now. */
export async function refuseRotation(ctx: Context, token: TokenRow): Promise<void> {
  await refuseWider(ctx, token)
  await requirePolicy(ctx, token)
}
