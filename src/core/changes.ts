import * as audit from '../../db/audit.ts'
import type { Store } from '../../db/open.ts'

export type { Deed } from '../../db/audit.ts'

/** Somebody who is told what was done, until it says that it does not listen any more. */
export interface Follower {
  /** Whether it listens now; while nobody does, nothing is read. */
  listens(): boolean
  /** What was done since it was told last, oldest first; whatever it throws is the log's. */
  heard(deeds: readonly audit.Deed[]): Promise<void>
}

/** What is done to the store, by any process and on any node: the audit trail is the feed. */
export interface Changes {
  /** Adds a follower; answers how to take it out. */
  follow(follower: Follower): () => void
  /** Resolves once everything done from here on will be told to those who listen by then. */
  begin(): Promise<void>
  close(): Promise<void>
}

/** How long a change is on its way at most, ms. */
const every = 500

/** Rounds in a row without a listener after which the feed rests. */
const patience = 10

/** Rows read at once. */
const batch = 1_000

/** Follows the end of the trail with one timer for all, and only while somebody listens. */
export function makeChanges(store: Store, onError: (error: unknown) => void): Changes {
  const followers = new Set<Follower>()
  let position: number | undefined
  let timer: NodeJS.Timeout | undefined
  let starting: Promise<void> | undefined
  let reading: Promise<void> | undefined
  let quiet = 0
  let failing = false
  let closed = false

  /** Once for each time that the store is away. */
  function told(error: unknown): void {
    if (!failing) onError(error)
    failing = true
  }

  async function start(): Promise<void> {
    position = (await audit.head(store.read)).seq
    if (closed) return
    timer = setInterval(() => {
      reading ??= look()
        .then(() => {
          failing = false
        }, told)
        .finally(() => {
          reading = undefined
        })
    }, every)
    timer.unref()
  }

  function rest(): void {
    clearInterval(timer)
    timer = undefined
    position = undefined
  }

  async function look(): Promise<void> {
    quiet = listening().length > 0 ? 0 : quiet + 1
    if (quiet > patience) return rest()
    const { seq } = await audit.head(store.read)
    // A store that was restored may have a shorter trail.
    if (position === undefined || seq < position) position = seq
    while (position < seq && !closed) {
      const deeds = await audit.deedsAfter(store.read, position, batch)
      position = deeds.at(-1)?.seq ?? seq
      // The next round waits for those who are slow, so that none has two at once.
      await Promise.all(listening().map((follower) => follower.heard(deeds).catch(told)))
    }
  }

  const listening = () => [...followers].filter((follower) => follower.listens())

  return {
    follow(follower) {
      followers.add(follower)
      return () => void followers.delete(follower)
    },
    async begin() {
      quiet = 0
      if (timer !== undefined) return
      starting ??= start().finally(() => {
        starting = undefined
      })
      await starting
    },
    async close() {
      closed = true
      followers.clear()
      rest()
      await Promise.all([starting, reading])
    },
  }
}
