import type { ServerRow } from '../../db/schema.ts'
import type { Keys } from '../domain/keys.ts'
import { seal, unseal } from '../domain/seal.ts'
import { mask, type ValueSide, valueFingerprint } from '../domain/server-values.ts'
import { AppError } from './errors.ts'

/** Names and values of variables or headers. */
export type Values = Record<string, string>

/** What a row keeps of its values: sealed under the env key for this row and this side alone; null = none (security R37). */
export function sealValues(keys: Keys, rowId: string, side: ValueSide, values: Values): Buffer | null {
  if (Object.keys(values).length === 0) return null
  return seal(keys.env, JSON.stringify(values), bound(rowId, side))
}

/** The values a row keeps; undefined if they were moved or changed outside this program. */
export function readValues(
  keys: Keys,
  row: Pick<ServerRow, 'id' | 'env' | 'headers'>,
  side: ValueSide,
): Values | undefined {
  const sealed = row[side]
  if (sealed === null) return {}
  const opened = unseal(keys.env, sealed, bound(row.id, side))
  return opened === undefined ? undefined : (JSON.parse(opened) as Values)
}

/** As `readValues`; what does not open is refused with the way out. */
export function openValues(keys: Keys, row: ServerRow, side: ValueSide): Values {
  const values = readValues(keys, row, side)
  if (values !== undefined) return values
  throw new AppError(
    'conflict',
    `The ${side} of server ${row.id} cannot be opened: they were moved or changed in the store. Set them again with set_server_upstream.`,
    { entity: 'server', id: row.id, reason: 'unreadable' },
  )
}

/** What everybody is shown: which names there are, and fingerprints that tell whether two values are the same. */
export function maskedValues(keys: Keys, row: ServerRow, side: ValueSide) {
  const values = Object.entries(openValues(keys, row, side))
  return {
    masked: Object.fromEntries(values.map(([name]) => [name, mask])),
    fingerprints: Object.fromEntries(
      values.map(([name, value]) => [name, valueFingerprint(keys.values, side, name, value)]),
    ),
  }
}

function bound(rowId: string, side: ValueSide): string {
  return side === 'env' ? rowId : `${rowId} ${side}`
}
