import { looksLikeId } from '../domain/id.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'

/** What a look-up was for, to say it in a refusal. */
interface Sought {
  entity: string
  id: string
  /** Which operation shows the ids, as a sentence. */
  next: string
}

/** True on the faces whose contracts name things by id only. */
export function idsOnly({ via }: Pick<Context, 'via'>): boolean {
  return via === 'metorial' || via === 'mctx' || via === 'gassapi'
}

/** The one row found by id or name; refuses none and a name that several have. */
export function single<Row>(rows: readonly Row[], { entity, id, next }: Sought): Row {
  const [row, another] = rows
  if (row === undefined) throw notFound(entity, id, next)
  if (another !== undefined) {
    throw new AppError('conflict', `Several ${entity}s have this name; give the id. ${next}`, { entity })
  }
  return row
}

/**
 * Whether a text that names a thing may be its name: in the Enkrypt dialect, unless it has the form of an id, which is
 * only ever looked up as one (enkrypt:wire:identifier:id-wins).
 */
export function namesToo({ via }: Pick<Context, 'via'>, text: string): boolean {
  return via === 'enkrypt' && !looksLikeId(text)
}

/** As `namesToo`, for reads: on every face that has names. */
export function readsNamesToo(ctx: Pick<Context, 'via'>, text: string): boolean {
  return !idsOnly(ctx) && !looksLikeId(text)
}

/** The row, refused if there is none and if it is a tombstone: what is deleted does not change any more. */
export function live<Row extends { deleted_at: string | null }>(
  row: Row | undefined,
  { entity, id, next }: Sought,
): Row {
  if (row === undefined) throw notFound(entity, id, next)
  if (row.deleted_at !== null)
    throw new AppError('gone', `That ${entity} is deleted. ${next}`, { entity, id })
  return row
}

/** The members of a change that are asked for and differ from the row. */
export function differing<Row extends object>(
  row: Row,
  asked: { [M in keyof Row]?: Row[M] | undefined },
): Partial<Row> {
  const changed = Object.entries(asked).filter(
    ([member, value]) => value !== undefined && row[member as keyof Row] !== value,
  )
  return Object.fromEntries(changed) as Partial<Row>
}
