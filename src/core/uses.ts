import { setTimeout as sleep } from 'node:timers/promises'
import * as audit from '../../db/audit.ts'
import type { FoundToken, Lookups } from '../../db/lookup.ts'
import type { Store } from '../../db/open.ts'
import * as stored from '../../db/uses.ts'
import type { Tallies } from './tallies.ts'

interface Use {
  at: string
  ip: string | null
  previous: boolean
}

type Pending = Use & { id: string; generation: number; first_at: string; count: number }

/** Remembers that tokens were used, beside the path of validation. */
export interface Uses {
  note(token: FoundToken, use: Use): void
  /** Records that a secret which is no longer good was tried: whoever holds it may have stolen it (security R44). */
  suspect(hash: Buffer): void
  /** Resolves when first uses noted so far are stored, or after 500 ms: a locked store holds no reader up. */
  settled(): Promise<void>
  /** Stores everything noted so far. */
  flush(): Promise<void>
  /** The tokens with uses that are not stored yet. */
  unstored(): Set<string>
}

const mostPending = 100_000

/** Few enough that a transaction takes milliseconds. */
const perTransaction = 100
const settlePatience = 500

/** The first use of a secret is stored at once, later ones with the next flush. */
export function makeUses(
  store: Store,
  lookups: Lookups,
  tallies: Tallies,
  onError: (error: unknown) => void,
): Uses {
  let pending = new Map<string, Pending>()
  /** Secrets whose first use is on its way to the store. */
  const firsts = new Set<string>()
  /** What is on its way to the store. */
  const leaving = new Set<Pending>()
  let writing: Promise<void> = Promise.resolve()

  function write(batch: Pending[]): Promise<void> {
    for (const use of batch) leaving.add(use)
    writing = writing.then(async () => {
      for (let at = 0; at < batch.length; at += perTransaction) {
        await storeUses(batch.slice(at, at + perTransaction))
        // Others get their turn between two transactions (security R45).
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    return writing
  }

  async function storeUses(some: Pending[]): Promise<void> {
    try {
      await store.write(async (db) => {
        // As every writer: refuses a newer schema, and two nodes cannot deadlock over the rows.
        await audit.takeHead(db, store.engine)
        for (const use of some) await stored.record(db, use)
      })
    } catch (error) {
      onError(error)
      for (const use of some) add(use)
    } finally {
      for (const use of some) leaving.delete(use)
    }
  }

  function add(use: Pending): void {
    const key = keyOf(use)
    const known = pending.get(key)
    if (known === undefined) {
      // Bounded, so that a store that is down for hours costs counts and not memory.
      if (pending.size < mostPending) pending.set(key, use)
      return
    }
    known.count += use.count
    if (use.first_at < known.first_at) known.first_at = use.first_at
    if (known.at > use.at) return
    known.at = use.at
    known.ip = use.ip
  }

  function flush(): Promise<void> {
    const batch = [...pending.values()]
    pending = new Map()
    firsts.clear()
    return write(batch)
  }

  return {
    note(token, { at, ip, previous }) {
      const { id, generation } = token
      const use = { id, generation, first_at: at, at, ip, previous, count: 1 }
      const key = keyOf(use)
      add(use)
      if (pending.size >= mostPending) void flush()
      const unseen = previous ? token.previous_used_at === null : token.secret_used_at === null
      if (!unseen || firsts.has(key)) return
      firsts.add(key)
      const first = pending.get(key)
      if (first === undefined) return
      pending.delete(key)
      void write([first])
    },
    suspect(hash) {
      Promise.resolve()
        .then(() => lookups.ended([hash]))
        .then((ended) => {
          if (ended !== undefined) tallies.count({ action: 'ended_secret_used', target_id: ended.token_id })
        })
        .catch(onError)
    },
    settled: () => Promise.race([writing, sleep(settlePatience, undefined, { ref: false })]),
    flush,
    unstored: () => new Set([...pending.values(), ...leaving].map(({ id }) => id)),
  }
}

/** Each secret of a token is counted apart. */
function keyOf({ id, generation, previous }: Pick<Pending, 'id' | 'generation' | 'previous'>): string {
  return `${id} ${generation}${previous ? ' previous' : ''}`
}
