import { createHmac, hkdfSync } from 'node:crypto'
import * as idempotency from '../../db/idempotency.ts'
import type { Db } from '../../db/open.ts'
import { canonicalJson } from '../domain/canonical.ts'
import type { Keys } from '../domain/keys.ts'
import { seal, unseal } from '../domain/seal.ts'
import { actorId } from './actor.ts'
import type { Caller } from './context.ts'
import { isModelFace } from './delivery.ts'
import { AppError } from './errors.ts'
import type { AnyOperation } from './operation.ts'

/** How long a repeat gets the same answer, ms. */
export const answerLife = 10 * 60_000
/** How long a repeat is recognised, ms. */
export const recordLife = 24 * 3_600_000

/** A call made with an Idempotency-Key: what it is found by, and what its answer is sealed with (security R47). */
export interface Attempt {
  keyHash: Buffer
  bodyHash: Buffer
  sealKey: Buffer
}

/** The attempt behind a call, or undefined if it carries no key. */
export function attemptOf(
  keys: Keys,
  caller: Caller,
  operation: AnyOperation,
  input: object,
): Attempt | undefined {
  if (operation.retryable !== true) return undefined
  const { idempotency_key, ...body } = input as { idempotency_key?: string }
  if (idempotency_key === undefined) return undefined
  const who = JSON.stringify([caller.actor.kind, actorId(caller.actor), operation.name, idempotency_key])
  // What a terminal was given inline is no answer for a model (security R7).
  const face = isModelFace(caller.via) ? 'model' : 'other'
  const hmac = (text: string) => createHmac('sha256', keys.idempotency).update(text).digest()
  return {
    keyHash: hmac(`key ${who}`),
    bodyHash: hmac(`body ${face} ${canonicalJson(body)}`),
    sealKey: Buffer.from(hkdfSync('sha256', keys.idempotency, Buffer.alloc(0), `seal ${who}`, 32)),
  }
}

/** The answer given before to the same call, undefined for a new one; refuses another body and late repeats. */
export async function recall(db: Db, attempt: Attempt, now: string): Promise<unknown> {
  const kept = await idempotency.find(db, attempt.keyHash)
  const age = kept === undefined ? Number.POSITIVE_INFINITY : Date.parse(now) - Date.parse(kept.created_at)
  if (kept === undefined || age >= recordLife) return undefined
  if (!kept.body_hash.equals(attempt.bodyHash)) {
    throw new AppError(
      'conflict',
      'This idempotency key was used for a call with other arguments. Give a new idempotency_key.',
      { reason: 'other_body' },
    )
  }
  const answer =
    kept.sealed === null || age >= answerLife
      ? undefined
      : unseal(attempt.sealKey, kept.sealed, attempt.keyHash.toString('hex'))
  if (answer !== undefined) return JSON.parse(answer)
  const id = kept.target_id ?? ''
  throw new AppError(
    'already_done',
    `already_done: this call was carried out before, on ${id}. Its answer is not kept longer than 10 minutes.`,
    { id },
  )
}

/** Keeps the answer in the transaction of the change. */
export async function keep(
  db: Db,
  attempt: Attempt,
  output: unknown,
  targetId: string | null,
  now: string,
): Promise<void> {
  const before = (ms: number) => new Date(Date.parse(now) - ms).toISOString()
  await idempotency.sweep(db, before(answerLife), before(recordLife))
  await idempotency.insert(db, {
    key_hash: attempt.keyHash,
    body_hash: attempt.bodyHash,
    target_id: targetId,
    sealed: seal(attempt.sealKey, JSON.stringify(output), attempt.keyHash.toString('hex')),
    created_at: now,
  })
}
