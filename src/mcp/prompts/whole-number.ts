import { rpc } from '../../http/rpc.ts'
import { protocolError } from '../refusals.ts'

/** An argument that is a whole number, as prompts get it: in text. */
export function wholeNumber(
  name: string,
  text: string | undefined,
  { least, most }: { least: number; most: number },
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw protocolError(rpc.params, `${name}: must be a whole number from ${least} to ${most}.`)
}
