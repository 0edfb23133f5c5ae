import { createHmac } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import { NewerSchema } from './errors.ts'
import { type Engine, schemaVersion } from './migrate.ts'
import type { Db } from './open.ts'
import { compiledInsert, compiledOnce, slot } from './prepare.ts'
import type { AuditRow, Schema } from './schema.ts'

export type Head = Pick<Selectable<Schema['audit_head']>, 'seq' | 'at' | 'row_hmac'>
export type NewAuditRow = Omit<AuditRow, 'seq' | 'row_hmac'>

const selectHead = compiledOnce((db) => db.selectFrom('audit_head').selectAll())
const lockHead = compiledOnce((db) => db.selectFrom('audit_head').selectAll().forUpdate())
const moveHead = compiledOnce((db) =>
  db.updateTable('audit_head').set({ seq: slot(0), row_hmac: slot(1), at: slot(2) }),
)
const insertOne = compiledInsert<AuditRow, unknown>((db, row) => db.insertInto('audit').values(row))

/** Takes the head of the chain, first thing in each write transaction: one writer at a time (security R39). */
export async function takeHead(db: Db, engine: Engine): Promise<Head> {
  const [head] = await (engine === 'postgres' ? lockHead : selectHead)(db, [])
  if (head === undefined) throw new Error('the trail has no head')
  if (head.schema_version > schemaVersion) throw new NewerSchema(head.schema_version, schemaVersion)
  return head
}

/** The end of the chain as it is now; nobody is kept from moving it. */
export async function head(db: Db): Promise<Head> {
  const [found] = await selectHead(db, [])
  if (found === undefined) throw new Error('the trail has no head')
  return found
}

/** What a row of the trail says of what it was done to. */
export type Deed = Pick<AuditRow, 'seq' | 'action' | 'target_id' | 'outcome'>

/** The oldest rows above `seq`, at most `limit`. */
export function deedsAfter(db: Db, seq: number, limit: number): Promise<Deed[]> {
  return db
    .selectFrom('audit')
    .select(['seq', 'action', 'target_id', 'outcome'])
    .where('seq', '>', seq)
    .orderBy('seq')
    .limit(limit)
    .execute()
}

/** True if the trail has a row of this number with this link of the chain. */
export async function holds(db: Db, { seq, row_hmac }: Pick<Head, 'seq' | 'row_hmac'>): Promise<boolean> {
  const row = await db.selectFrom('audit').select('row_hmac').where('seq', '=', seq).executeTakeFirst()
  return row?.row_hmac.equals(row_hmac) === true
}

/** Appends rows behind the head this transaction holds. */
export async function append(db: Db, key: Buffer, head: Head, rows: NewAuditRow[]): Promise<void> {
  let { seq, row_hmac } = head
  const chained = rows.map((row) => {
    seq += 1
    row_hmac = chainHmac(key, row_hmac, { ...row, seq })
    return { ...row, seq, row_hmac }
  })
  const last = chained.at(-1)
  if (last === undefined) return
  if (chained.length === 1) await insertOne(db, last)
  else await insertMany(db, chained)
  await moveHead(db, [seq, row_hmac, last.at])
}

/** Databases bound the parameters of one statement; a deletion may end thousands of tokens. */
async function insertMany(db: Db, rows: AuditRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 500) {
    await db
      .insertInto('audit')
      .values(rows.slice(at, at + 500))
      .execute()
  }
}

/** HMAC of the previous link and the row, column by column in a fixed order. */
export function chainHmac(key: Buffer, previous: Buffer, row: Omit<AuditRow, 'row_hmac'>): Buffer {
  const fields = [
    row.seq,
    row.at,
    row.actor_kind,
    row.actor_id,
    row.actor_name,
    row.role,
    row.via,
    row.ip,
    row.client_name,
    row.client_version,
    row.request_id,
    row.action,
    row.target_id,
    row.outcome,
    row.details,
  ]
  return createHmac('sha256', key).update(previous).update(JSON.stringify(fields)).digest()
}

export interface Verification {
  rows: number
  head: { seq: number; hmac: string }
  /** The first row that does not fit the chain; null = the chain holds. */
  first_bad_seq: number | null
}

const verifiedAtOnce = 1_000

/**
 * Walks the chain from the start; `expected` is a head exported earlier, to find a cut tail. The head is read first, so
 * that rows which writers append meanwhile are no fault.
 */
export async function verifyChain(
  db: Db,
  key: Buffer,
  expected?: { seq: number; hmac: string },
): Promise<Verification> {
  const { seq: last, row_hmac } = await db.selectFrom('audit_head').selectAll().executeTakeFirstOrThrow()
  const head = { seq: last, hmac: row_hmac.toString('hex') }
  const known = expected === undefined ? [head] : [head, expected]
  let previous: Buffer = Buffer.alloc(32)
  let seq = 0
  for await (const rows of batches(db)) {
    for (const row of rows) {
      const fits = row.seq === seq + 1 && chainHmac(key, previous, row).equals(row.row_hmac)
      const asKnown = known.every((one) => one.seq !== row.seq || row.row_hmac.toString('hex') === one.hmac)
      if (!fits || !asKnown) return { rows: seq, head, first_bad_seq: seq + 1 }
      seq = row.seq
      previous = row.row_hmac
    }
  }
  const cut = known.some((one) => one.seq > seq)
  return { rows: seq, head, first_bad_seq: cut ? seq + 1 : null }
}

/** The rows in their order; the next batch is on its way while one is looked at. */
async function* batches(db: Db): AsyncGenerator<AuditRow[]> {
  const read = (after: number) =>
    db.selectFrom('audit').selectAll().where('seq', '>', after).orderBy('seq').limit(verifiedAtOnce).execute()
  let rows = await read(0)
  // A batch that is not full was the end when it was read; writers may append for ever.
  while (rows.length === verifiedAtOnce) {
    const next = read(rows.at(-1)?.seq ?? 0)
    // Whoever stops early does not wait for it.
    next.catch(() => undefined)
    yield rows
    // Others get their turn between two batches, however long the trail is (security R45).
    await new Promise((resolve) => setImmediate(resolve))
    rows = await next
  }
  yield rows
}

export interface AuditFilter {
  actor_id?: string | undefined
  target_id?: string | undefined
  action?: string | undefined
  outcome?: 'ok' | 'denied' | undefined
  since?: string | undefined
  until?: string | undefined
}

/** Details of what an actor did through MCP after a time and what counts against its budget, newest first. */
export async function budgeted(
  db: Db,
  actor: { kind: string; id: string },
  after: string,
  limit: number,
): Promise<{ at: string; details: string }[]> {
  return (
    db
      .selectFrom('audit')
      .select(['at', 'details'])
      .where('actor_id', '=', actor.id)
      .where('at', '>', after)
      // As the partial index spells it.
      .where(sql<boolean>`via in ('mcp', 'stdio')`)
      .where('actor_kind', '=', actor.kind)
      .where('outcome', '=', 'ok')
      .where('details', 'like', '%"budgeted":%')
      .orderBy('seq', 'desc')
      .limit(limit)
      .execute()
  )
}

/** Rows of the trail, newest first, below `before`. */
export async function list(
  db: Db,
  filter: AuditFilter,
  page: { limit: number; before?: number | undefined },
): Promise<AuditRow[]> {
  let query = db.selectFrom('audit').selectAll().orderBy('seq', 'desc').limit(page.limit)
  if (filter.actor_id !== undefined) query = query.where('actor_id', '=', filter.actor_id)
  if (filter.target_id !== undefined) query = query.where('target_id', '=', filter.target_id)
  if (filter.action !== undefined) query = query.where('action', '=', filter.action)
  if (filter.outcome !== undefined) query = query.where('outcome', '=', filter.outcome)
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since)
  if (filter.until !== undefined) query = query.where('at', '<', filter.until)
  if (page.before !== undefined) query = query.where('seq', '<', page.before)
  return query.execute()
}
