import * as audit from '../../db/audit.ts'
import * as idempotency from '../../db/idempotency.ts'
import * as links from '../../db/links.ts'
import { answerLife, recordLife } from './idempotent.ts'
import type { Core } from './invoke.ts'

/** Deletes what has had its time: sealed secrets of links and kept answers (security R7, R47). */
export async function sweep(core: Core): Promise<void> {
  const now = core.clock()
  const before = (ms: number) => new Date(now - ms).toISOString()
  await core.store.write(async (db) => {
    await audit.takeHead(db, core.store.engine)
    await links.sweep(db, before(0))
    await idempotency.sweep(db, before(answerLife), before(recordLife))
  })
}
