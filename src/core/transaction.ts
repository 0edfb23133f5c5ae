import * as audit from '../../db/audit.ts'
import type { Db, Store } from '../../db/open.ts'

/** A write transaction that holds the head of the trail: one writer at a time, so id order is commit order. */
export interface Turn {
  db: Db
  /** ISO 8601 UTC; never before the last commit, whatever the clock of this machine says. */
  now: string
  /** The number of this change; ids made in it carry it. */
  seq: number
  /** Appends rows to the trail; once per transaction, in their order. */
  append(rows: audit.NewAuditRow[]): Promise<void>
}

/** Runs a change and its audit rows in one transaction, both or neither (security R38, R39). */
export function transaction<T>(
  { store, auditKey, clock }: { store: Store; auditKey: Buffer; clock: () => number },
  work: (turn: Turn) => Promise<T>,
): Promise<T> {
  return store.write(async (db) => {
    const head = await audit.takeHead(db, store.engine)
    const now = new Date(Math.max(clock(), Date.parse(head.at))).toISOString()
    const append = (rows: audit.NewAuditRow[]) => audit.append(db, auditKey, head, rows)
    return work({ db, now, seq: head.seq + 1, append })
  })
}
