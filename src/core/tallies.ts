import type { NewAuditRow } from '../../db/audit.ts'
import type { Store } from '../../db/open.ts'
import { transaction } from './transaction.ts'

/** Something that may happen thousands of times a minute and gets one row a minute with a count (security R41). */
export interface Tally {
  action: string
  actor_kind?: string
  actor_id?: string | null
  actor_name?: string | null
  role?: string | null
  via?: string
  ip?: string | null
  target_id?: string | null
  /** Why, where the caller is not told. */
  cause?: string
}

export interface Tallies {
  count(tally: Tally): void
  flush(): Promise<void>
}

/** Distinct sources remembered a minute; the rest share one row. */
const mostSources = 50

/** Counts in memory and writes one denied row per source when `flush` is called, once a minute. */
export function makeTallies(
  chain: { store: Store; auditKey: Buffer; clock: () => number },
  onError: (error: unknown) => void,
): Tallies {
  let counts = new Map<string, { tally: Tally; count: number }>()

  function add(tally: Tally, times: number): void {
    const { action, actor_id, ip, target_id, via, cause } = tally
    const source = JSON.stringify([action, actor_id, ip, target_id, via, cause])
    const known = counts.get(source)
    if (known !== undefined) known.count += times
    else if (counts.size < mostSources) counts.set(source, { tally, count: times })
    else {
      const rest = counts.get('rest') ?? { tally: { action: 'denied_by_many_sources' }, count: 0 }
      counts.set('rest', { ...rest, count: rest.count + times })
    }
  }

  return {
    count: (tally) => add(tally, 1),
    async flush() {
      const batch = [...counts.values()]
      counts = new Map()
      if (batch.length === 0) return
      try {
        await transaction(chain, ({ append, now }) =>
          append(batch.map(({ tally, count }) => deniedRow(tally, count, now))),
        )
      } catch (error) {
        onError(error)
        // Told with the next minute instead.
        for (const { tally, count } of batch) add(tally, count)
      }
    },
  }
}

function deniedRow(tally: Tally, count: number, at: string): NewAuditRow {
  return {
    at,
    actor_kind: tally.actor_kind ?? 'nobody',
    actor_id: tally.actor_id ?? null,
    actor_name: tally.actor_name ?? null,
    role: tally.role ?? null,
    via: tally.via ?? 'any',
    ip: tally.ip ?? null,
    client_name: null,
    client_version: null,
    request_id: '',
    action: tally.action,
    target_id: tally.target_id ?? null,
    outcome: 'denied',
    details: JSON.stringify(tally.cause === undefined ? { count } : { count, cause: tally.cause }),
  }
}
