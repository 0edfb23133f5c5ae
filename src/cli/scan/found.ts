import { lastFour, shownPrefix } from '../../domain/secret.ts'
import { makeSecretScan, type SecretScan } from '../../domain/secret-scan.ts'

/** Where a secret was seen; `commit` is null outside of a history, or where no commit has it. */
export interface Place {
  path: string
  line: number | null
  commit: string | null
}

/** A secret and where it was seen: the first places, and how many there are. */
export interface Found {
  secret: string
  places: (Place & { object?: string })[]
  places_total: number
}

/** What a scan has come to; it holds no more than a bounded part of what it reads. */
export interface Collection {
  found: ReadonlyMap<string, Found>
  /** What was looked at. */
  counts: { files: number; objects: number; bytes: number; unreadable: number }
  /** More secrets were seen than are kept. */
  full(): boolean
  /** Looks through one thing; hand it piece after piece. */
  begin(place: Omit<Place, 'line'> & { object?: string }): (piece: Buffer) => void
}

const mostSecrets = 10_000
const mostPlaces = 10

/** Collects what is found by these prefixes. */
export function makeCollection(prefixes: readonly string[]): Collection {
  const found = new Map<string, Found>()
  const counts = { files: 0, objects: 0, bytes: 0, unreadable: 0 }
  let overflowed = false

  function add(secret: string, place: Found['places'][number]): void {
    const known = found.get(secret)
    if (known !== undefined) {
      known.places_total += 1
      if (known.places.length < mostPlaces) known.places.push(place)
    } else if (found.size < mostSecrets) found.set(secret, { secret, places: [place], places_total: 1 })
    else overflowed = true
  }

  return {
    found,
    counts,
    full: () => overflowed,
    begin(place) {
      const scan: SecretScan = makeSecretScan(prefixes)
      return (piece) => {
        counts.bytes += piece.length
        for (const { secret, line } of scan.push(piece)) add(secret, { ...place, line })
      }
    },
  }
}

/** A secret as it may be shown. */
export function shownOf(secret: string): { prefix: string; last4: string } {
  return { prefix: shownPrefix(secret), last4: lastFour(secret) }
}
