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

const mostPending = 10_000
const settlePatience = 500

/** The first use of a secret is stored at once, later ones with the next flush. */
export function makeUses(
  store: Store,
  lookups: Lookups,
  tallies: Tallies,
  onError: (error: unknown) => void,
): Uses {
  let pending = new Map<string, Pending>()
  const firsts = new Set<string>()
  let writing: Promise<void> = Promise.resolve()

  function write(batch: Map<string, Pending>): Promise<void> {
    writing = writing.then(async () => {
      if (batch.size === 0) return
      try {
        await store.write(async (db) => {
          // As every writer: refuses a newer schema, and two nodes cannot deadlock over the rows.
          await audit.takeHead(db, store.engine)
          for (const use of batch.values()) await tokens.recordUse(db, use)
        })
      } catch (error) {
        onError(error)
        for (const use of batch.values()) add(use)
      }
    })
    return writing
  }

  function add(use: Pending): void {
    const key = `${use.id} ${use.generation} ${use.previous}`
    const known = pending.get(key)
    if (known === undefined) {
      // Bounded, so that a store that is down for hours costs counts and not memory.
      if (pending.size < mostPending) pending.set(key, use)
      return
    }
    known.count += use.count
    if (known.at <= use.at) {
      known.at = use.at
      known.ip = use.ip
    }
  }

  function flush(): Promise<void> {
    const batch = pending
    pending = new Map()
    firsts.clear()
    return write(batch)
  }

  return {
    note(token, use) {
      add({ ...use, id: token.id, generation: token.generation, count: 1 })
      const unseen = use.previous ? token.previous_used_at === null : token.secret_used_at === null
      const key = `${token.id} ${token.generation} ${use.previous}`
      if (!unseen || firsts.has(key)) {
        if (pending.size >= mostPending) void flush()
        return
      }
      firsts.add(key)
      const one = pending.get(key)
      if (one === undefined) return
      pending.delete(key)
      void write(new Map([[key, one]]))
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
