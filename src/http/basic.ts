import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { bearerOf, onlyHeader } from './bearer.ts'

/** A credential as it was sent; `sent` is true if any Authorization header came, also where its form is refused. */
export interface Sent {
  secret: string | undefined
  sent: boolean
  /** Of HTTP Basic: the id the secret must be that of. */
  holder?: string
}

const basicPattern = /^basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i

/**
 * As `bearerOf`, and HTTP Basic with the id of a key and the key, each form-encoded first (RFC 6749, 2.3.1); for the
 * endpoints whose standard has clients that send nothing else.
 */
export function bearerOrBasicOf(request: IncomingMessage): Sent {
  const { value, single } = onlyHeader(request, 'authorization')
  const [, encoded] = basicPattern.exec(value ?? '') ?? []
  if (encoded === undefined || !single) return bearerOf(request)
  const bytes = Buffer.from(encoded, 'base64')
  // The decoder drops what does not belong; what it read must be what was sent.
  const isExact = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  const [, holder, secret] =
    /^([^:]*):(.*)$/s.exec(isExact && isUtf8(bytes) ? bytes.toString('utf8') : '') ?? []
  if (holder === undefined || secret === undefined) return { secret: undefined, sent: true }
  return { secret: formDecoded(secret), sent: true, holder: formDecoded(holder) ?? '' }
}

/** A text that was form-encoded; undefined if it cannot have been. */
export function formDecoded(text: string): string | undefined {
  // Most texts are written as themselves.
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
