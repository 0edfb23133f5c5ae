import { type FoundToken, findTokens, reaching } from '../../db/lookup.ts'
import type { Store } from '../../db/open.ts'
import { judge } from '../domain/verdict.ts'
import type { Caller } from './context.ts'
import { candidateOf } from './verify.ts'

/** A secret as it was presented once, and what it opened. */
export interface Presented {
  token_id: string
  /** null = all servers in reach. */
  server: string | null
  ip: string | null
  /** The generation of the token then, and whether the secret was the replaced one. */
  generation: number
  predecessor: boolean
}

/** Few enough that their ids fit into one statement on every engine. */
const chunk = 500

/** Whether each would still be let in now, in the order asked. */
export type StillGood = (asked: readonly Presented[]) => Promise<boolean[]>

/** Asks again about secrets that nobody keeps: what rotation, revocation, expiry and lost reach have ended is false. */
export function makeStillGood(store: Store, clock: () => number): StillGood {
  async function rowsOf(ids: readonly string[]): Promise<Map<string, FoundToken>> {
    const rows = new Map<string, FoundToken>()
    for (let at = 0; at < ids.length; at += chunk)
      for (const row of await findTokens(store.read, ids.slice(at, at + chunk))) rows.set(row.id, row)
    return rows
  }

  async function reachedOf(asked: readonly Presented[]): Promise<Set<string>> {
    const reached = new Set<string>()
    for (const server of distinct(asked.flatMap(({ server }) => server ?? []))) {
      const ids = distinct(asked.filter((one) => one.server === server).map((one) => one.token_id))
      for (let at = 0; at < ids.length; at += chunk)
        for (const { token_id, slug } of await reaching(store.read, ids.slice(at, at + chunk), [server]))
          reached.add(`${token_id} ${slug}`)
    }
    return reached
  }

  return async (asked) => {
    const now = new Date(clock()).toISOString()
    const rows = await rowsOf(distinct(asked.map(({ token_id }) => token_id)))
    const reached = await reachedOf(asked)
    return asked.map((one) => {
      const row = rows.get(one.token_id)
      if (row === undefined || !isCurrent(row, one, now)) return false
      const server =
        one.server === null
          ? {}
          : { server: { slug: one.server, reached: reached.has(`${one.token_id} ${one.server}`) } }
      return judge(candidateOf(row), { now, ip: one.ip, ...server }) === 'valid'
    })
  }
}

/** The secret is the token's own, or the one before it in its grace. */
function isCurrent(row: FoundToken, { generation, predecessor }: Presented, now: string): boolean {
  const behind = row.generation - generation + (predecessor ? 1 : 0)
  return behind === 0 || (behind === 1 && row.previous_until !== null && now < row.previous_until)
}

/** What a caller was let in with; undefined = nothing that could have ended since. */
export function presentedBy({ actor, ip }: Pick<Caller, 'actor' | 'ip'>): Presented | undefined {
  if (!('id' in actor) || actor.kind === 'local' || actor.kind === 'user' || actor.kind === 'reporter')
    return undefined
  const secret =
    actor.kind === 'management'
      ? { generation: actor.key_generation ?? 1, predecessor: false }
      : { generation: actor.generation, predecessor: actor.predecessor }
  return { token_id: actor.id, server: null, ip, ...secret }
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}
