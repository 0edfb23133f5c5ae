import type { IncomingMessage } from 'node:http'

const bearerPattern = /^bearer +([\x21-\x7e]{1,512})$/i

/**
 * The credential of a request: exactly one Authorization header of the form `Bearer <visible ASCII>` (security
 * R21). `sent` is true if any such header came, also where its form is refused.
 */
export function bearerOf(request: IncomingMessage): { secret: string | undefined; sent: boolean } {
  const { value, single } = onlyHeader(request, 'authorization')
  if (value === undefined || !single) return { secret: undefined, sent: value !== undefined }
  return { secret: bearerPattern.exec(value)?.[1], sent: true }
}

/** The first value of a header, and whether it is the only one. */
export function onlyHeader(
  { rawHeaders: raw }: IncomingMessage,
  name: string,
): { value: string | undefined; single: boolean } {
  let value: string | undefined
  let single = true
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const key = raw[at] as string
    if (key.length !== name.length || (key !== name && key.toLowerCase() !== name)) continue
    if (value === undefined) value = raw[at + 1] as string
    else single = false
  }
  return { value, single }
}

/** Every value of a header, in order; Node's own view keeps the first of some and joins others (security F15). */
export function headerValues(request: IncomingMessage, name: string): string[] {
  const raw = request.rawHeaders
  const values: string[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const key = raw[at] as string
    if (key.length === name.length && key.toLowerCase() === name) values.push(raw[at + 1] as string)
  }
  return values
}
