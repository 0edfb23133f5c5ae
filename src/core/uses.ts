import { setTimeout as sleep } from 'node:timers/promises'
import * as audit from '../../db/audit.ts'
import type { FoundToken, Lookups } from '../../db/lookup.ts'
import type { Store } from '../../db/open.ts'
import * as tokens from '../../db/tokens.ts'
import type { Tallies } from './tallies.ts'

interface Use {
  at: string
  ip: string | null
  previous: boolean
}

type Pending = Use & { id: string; generation: number; count: number }

/** Remembers that tokens were used, beside the path of validation. */
export interface Uses {
  note(token: FoundToken, use: Use): void
  /** Records that a secret which is no longer good was tried: whoever holds it may have stolen it (security R44). */
  suspect(hash: Buffer): void
  /** Resolves when first uses noted so far are stored, or after 500 ms: a locked store holds no reader up. */
  settled(): Promise<void>
  /** Stores everything noted so far. */
  flush(): Promise<void>
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
  /** Secrets whose first use is on its way to the store, by generation. */
  const firsts = new Map<string, number>()
  let writing: Promise<void> = Promise.resolve()

  function write(batch: Pending[]): Promise<void> {
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
        for (const use of some) await tokens.recordUse(db, use)
      })
    } catch (error) {
      onError(error)
      for (const use of some) add(keyOf(use.id, use.previous), use)
    }
  }

  function add(key: string, use: Pending): void {
    const known = pending.get(key)
    if (known === undefined) {
      // Bounded, so that a store that is down for hours costs counts and not memory.
      if (pending.size < mostPending) pending.set(key, use)
      return
    }
    known.count += use.count
    if (known.at > use.at) return
    known.at = use.at
    known.ip = use.ip
    known.generation = use.generation
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
      const key = keyOf(id, previous)
      add(key, { id, generation, at, ip, previous, count: 1 })
      if (pending.size >= mostPending) void flush()
      const unseen = previous ? token.previous_used_at === null : token.secret_used_at === null
      if (!unseen || firsts.get(key) === generation) return
      firsts.set(key, generation)
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
  }
}

/** A token and its predecessor are counted apart. */
function keyOf(id: string, previous: boolean): string {
  return previous ? `${id} previous` : id
}
