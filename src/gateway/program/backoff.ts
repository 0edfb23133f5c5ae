/** How long a server that keeps crashing is left alone. */
export interface Backoff {
  /** How long until it may be started again, ms; 0 = now. `what` is what would be run. */
  wait(slug: string, what: object): number
  /** A run ended by itself after this time, ms; answers how long the next start waits. */
  crashed(slug: string, what: object, ranMs: number): number
}

const firstMs = 500
const longestMs = 30_000
/** A run as long as this was no failed start. */
const goodRunMs = 10_000
/** Servers remembered at most. */
const mostRemembered = 10_000

/** Remembers crashes by server; one that is told to run something else starts anew. */
export function makeBackoff(clock: () => number): Backoff {
  const crashes = new Map<string, { what: object; pause: number; until: number }>()
  return {
    wait(slug, what) {
      const known = crashes.get(slug)
      if (known === undefined || known.what !== what) return 0
      return Math.max(0, Math.ceil(known.until - clock()))
    },
    crashed(slug, what, ranMs) {
      const known = crashes.get(slug)
      crashes.delete(slug)
      if (ranMs > goodRunMs) return 0
      const again = known !== undefined && known.what === what
      const pause = again ? Math.min(longestMs, known.pause * 2) : firstMs
      if (crashes.size >= mostRemembered) crashes.clear()
      crashes.set(slug, { what, pause, until: clock() + pause })
      return pause
    },
  }
}
