import { createHash } from 'node:crypto'
import { seal, unseal } from '../../domain/seal.ts'
import type { Ask, Json } from '../surface.ts'

/** What a call that was given back brings along the next time. */
export interface State {
  /** Made when the call came first. */
  nonce: string
  /** Digests of the questions that were asked, by key: a yes counts for what was shown and for nothing else. */
  asked: Record<string, string>
  /** Answers of earlier rounds, by key. */
  answers: Record<string, Json>
}

/** What a state is bound to: it is of no use to another caller, for another method or for other arguments. */
export interface Bound {
  principal: string
  method: string
  params: Json
}

/** How long a person may think about a question, ms. */
const life = 10 * 60_000

const label = 'request state'

/** Seals a state, base64url; only we read it, and a changed bit or another binding opens nothing. */
export function sealState(key: Buffer, state: State, bound: Bound, now: number): string {
  const text = JSON.stringify({ ...state, bound: digestOf(bound), until: now + life })
  return seal(key, text, label).toString('base64url')
}

/** The state, or undefined when it is not ours, not of this call, or too old. */
export function openState(key: Buffer, sealed: string, bound: Bound, now: number): State | undefined {
  const text = unseal(key, Buffer.from(sealed, 'base64url'), label)
  if (text === undefined) return undefined
  const state = JSON.parse(text) as State & { bound: string; until: number }
  return state.bound === digestOf(bound) && state.until > now ? state : undefined
}

/** Tells one question from another whatever its key. */
export function digestOf(value: Ask | Bound): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url')
}
