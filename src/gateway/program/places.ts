import { UpstreamFault } from '../conduit.ts'

/** Where processes stand; there are only so many. */
export interface Places {
  /** Takes a place for a process of a server, and answers what frees it; throws `UpstreamFault`. */
  take(slug: string): () => void
}

/** So many places, of which one server gets three quarters at most: what is done to it leaves others some. */
export function makePlaces(most: number): Places {
  const each = Math.ceil(most * 0.75)
  const taken = new Map<string, number>()
  let all = 0
  return {
    take(slug) {
      const own = taken.get(slug) ?? 0
      if (all >= most) throw new UpstreamFault('busy', `All ${most} places for programs are taken.`)
      if (own >= each)
        throw new UpstreamFault('busy', `All ${each} places that one server may take are taken.`)
      all += 1
      taken.set(slug, own + 1)
      let held = true
      return () => {
        if (!held) return
        held = false
        all -= 1
        const left = (taken.get(slug) ?? 1) - 1
        left === 0 ? taken.delete(slug) : taken.set(slug, left)
      }
    },
  }
}
