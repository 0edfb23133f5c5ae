import type { CompiledQuery } from 'kysely'
import type { Db } from './open.ts'

const slots: Record<string, never>[] = []

/** The place of the nth argument in a prepared query; typed so that any column accepts it. */
export function slot(n: number): never {
  slots[n] ??= Object.freeze({}) as Record<string, never>
  return slots[n] as never
}

/** Turns call arguments into the values of a compiled query, in its order. */
export function binder(query: CompiledQuery): (args: readonly unknown[]) => unknown[] {
  const plan = query.parameters.map((value) => ({ value, at: slots.indexOf(value as Record<string, never>) }))
  return (args) => plan.map(({ value, at }) => (at === -1 ? value : args[at]))
}

type Build<Row> = (db: Db) => { compile(): CompiledQuery<Row> }
type Plan<Row> = { query: CompiledQuery<Row>; bind: ReturnType<typeof binder> }

/** A query of every change: built and compiled once per engine, then run wherever the caller is, transactions included. */
export function compiledOnce<Row>(build: Build<Row>): (db: Db, args: readonly unknown[]) => Promise<Row[]> {
  const plans = new WeakMap<object, Plan<Row>>()
  return async (db, args) => {
    const { adapter } = db.getExecutor()
    let plan = plans.get(adapter)
    if (plan === undefined) {
      const query = build(db).compile()
      plan = { query, bind: binder(query) }
      plans.set(adapter, plan)
    }
    const { rows } = await db.executeQuery<Row>({ ...plan.query, parameters: plan.bind(args) })
    return rows
  }
}

/** An insert of one row, compiled once per set of columns. */
export function compiledInsert<New extends object, Row>(build: (db: Db, row: New) => ReturnType<Build<Row>>) {
  const inserts = new Map<string, (db: Db, args: readonly unknown[]) => Promise<Row[]>>()
  return (db: Db, row: New): Promise<Row[]> => {
    const names = Object.keys(row)
    const key = names.join()
    let insert = inserts.get(key)
    if (insert === undefined) {
      const slots = Object.fromEntries(names.map((name, at) => [name, slot(at)])) as New
      insert = compiledOnce((some) => build(some, slots))
      inserts.set(key, insert)
    }
    return insert(db, Object.values(row))
  }
}
