import { randomUUID } from 'node:crypto'
import { GivenBack } from '../../core/errors.ts'
import type { Ask, ClientAbilities, Json } from '../surface.ts'
import { digestOf, type State } from './state.ts'

/** The state of a call that comes for the first time. */
export function noState(): State {
  return { nonce: randomUUID(), asked: {}, answers: {} }
}

/** The state of a call that is given back with these questions. */
export function asking({ nonce, asked, answers }: State, asks: Record<string, Ask>): State {
  const digests = Object.entries(asks).map(([key, ask]) => [key, digestOf(ask)])
  return { nonce, asked: { ...asked, ...Object.fromEntries(digests) }, answers }
}

/** The questions as this era spells them: those to open an address have no id of their own any more. */
export function spelled(asks: Record<string, Ask>): Record<string, Ask> {
  const entries = Object.entries(asks).map(([key, { method, params }]) => {
    const { elicitationId: _, ...rest } = params
    return [key, { method, params: rest }]
  })
  return Object.fromEntries(entries)
}

/**
 * Answers out of what the call brought along, or the end of the call with what has to be asked first. An answer counts if
 * exactly this question was asked before, whatever else the client sends.
 */
export function answersTo(
  asks: Record<string, Ask>,
  state: State,
  brought: Record<string, unknown>,
): Record<string, Json> {
  const known: Record<string, Json> = {}
  const open: Record<string, Ask> = {}
  for (const [key, ask] of Object.entries(asks)) {
    // The SDK copies what came, and a member that was called __proto__ would be inherited then.
    const said = Object.hasOwn(brought, key) ? brought[key] : state.answers[key]
    const answer = state.asked[key] === digestOf(ask) ? said : undefined
    if (isAnswerTo(ask, answer)) known[key] = answer
    else open[key] = ask
  }
  // What was answered already is kept, so that the next round asks for the rest alone.
  Object.assign(state.answers, known)
  if (Object.keys(open).length > 0) throw new GivenBack(open)
  return known
}

function isAnswerTo({ method }: Ask, answer: unknown): answer is Json {
  if (typeof answer !== 'object' || answer === null) return false
  if (method === 'roots/list') return 'roots' in answer && Array.isArray(answer.roots)
  if (method === 'sampling/createMessage') return 'role' in answer && 'content' in answer
  return 'action' in answer && ['accept', 'decline', 'cancel'].includes(String(answer.action))
}

/** The ability a question needs and the client has not; undefined if it has. */
export function missingFor(asks: Record<string, Ask>, abilities: ClientAbilities): Json | undefined {
  const missing = Object.values(asks)
    .map((ask) => neededBy(ask, abilities))
    .filter((one) => one !== undefined)
  return missing.length === 0 ? undefined : Object.assign({}, ...missing)
}

function neededBy(
  { method, params }: Ask,
  { elicitation, sampling, roots }: ClientAbilities,
): Json | undefined {
  if (method === 'sampling/createMessage') return sampling ? undefined : { sampling: {} }
  if (method === 'roots/list') return roots ? undefined : { roots: {} }
  const mode = params['mode'] === 'url' ? 'url' : 'form'
  return elicitation?.[mode] ? undefined : { elicitation: { [mode]: {} } }
}
