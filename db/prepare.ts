import type { CompiledQuery } from 'kysely'

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
