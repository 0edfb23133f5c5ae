import { z } from 'zod'

/** The rows next to one: behind it, or directly in front of it. */
export interface Place {
  side: 'after' | 'before'
  id: string
}

const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const pair = z.tuple([z.enum(['after', 'before']), z.string().max(200)])

/** `cur_` and the bytes of `["after","<id>"]` as one number in base 62 (metorial:tokens:list:cursor). */
export function encodeCursor({ side, id }: Place): string {
  let number = BigInt(`0x${Buffer.from(JSON.stringify([side, id])).toString('hex')}`)
  let body = ''
  for (; number > 0n; number /= 62n) body = `${digits.charAt(Number(number % 62n))}${body}`
  return `cur_${body}`
}

/** The place a cursor names; undefined for any text that `encodeCursor` does not make. */
export function decodeCursor(cursor: string): Place | undefined {
  const [, body] = /^cur_([0-9a-zA-Z]{1,400})$/.exec(cursor) ?? []
  if (body === undefined) return undefined
  const number = [...body].reduce((sum, digit) => sum * 62n + BigInt(digits.indexOf(digit)), 0n)
  const hex = number.toString(16)
  const found = pair.safeParse(parsed(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString()))
  if (!found.success) return undefined
  const place: Place = { side: found.data[0], id: found.data[1] }
  return encodeCursor(place) === cursor ? place : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
