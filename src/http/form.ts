import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { AppError } from '../core/errors.ts'
import { formDecoded } from './basic.ts'
import { readBytesOf } from './body.ts'

/** Bytes of a body: a secret and a few words. */
const longest = 16 * 1024

const formType = /^application\/x-www-form-urlencoded *(;|$)/i

/**
 * The parameters of a form that are known, by name; others are ignored, as OAuth wants it (RFC 6749, 3.2). Throws
 * `invalid_input` where one stands twice or cannot be read, `too_large`, `unsupported`.
 */
export async function readForm<Name extends string>(
  request: IncomingMessage,
  names: readonly Name[],
): Promise<{ [name in Name]?: string }> {
  const bytes = await readBytesOf(request, longest)
  if (bytes.length === 0) return {}
  if (!formType.test(request.headers['content-type'] ?? '')) {
    throw new AppError('unsupported', 'Send the body as Content-Type: application/x-www-form-urlencoded.', {
      reason: 'media_type',
    })
  }
  if (!isUtf8(bytes)) throw unreadable()
  return parsed(bytes.toString('utf8'), names)
}

function parsed<Name extends string>(text: string, names: readonly Name[]): { [name in Name]?: string } {
  const seen = new Set<string>()
  const values: { [name in Name]?: string } = {}
  for (const pair of text.split('&')) {
    const at = pair.indexOf('=')
    const name = formDecoded(at === -1 ? pair : pair.slice(0, at))
    const value = at === -1 ? '' : formDecoded(pair.slice(at + 1))
    if (name === undefined || value === undefined) throw unreadable()
    if (seen.has(name)) throw new AppError('invalid_input', 'A parameter stands twice in the body.')
    seen.add(name)
    if (names.includes(name as Name)) values[name as Name] = value
  }
  return values
}

function unreadable(): AppError {
  return new AppError('invalid_input', 'The body is not a form in UTF-8.')
}
