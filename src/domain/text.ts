const loneSurrogate = /\p{Surrogate}/u
const direction = /[\u202A-\u202E\u2066-\u2069]/
const lineBreak = /[\n\r\u2028\u2029]/
const control = /\p{Control}/u
const blockControl = /(?![\t\n\r])\p{Control}|\r(?!\n)/u

/**
 * Why `value` is refused before it reaches a database, as the end of a sentence; undefined when it is fine.
 * Both kinds refuse broken Unicode, control characters and direction overrides; a `block` may hold tabs and
 * line breaks (`\n`, `\r\n`), a `line` neither (security.md R20, F12).
 */
export function textProblem(value: string, allow: 'line' | 'block'): string | undefined {
  if (loneSurrogate.test(value)) return 'holds half a character (an unpaired surrogate)'
  if (direction.test(value)) return 'holds a character that overrides the direction of text'
  if (allow === 'line' && lineBreak.test(value)) return 'holds a line break'
  if ((allow === 'line' ? control : blockControl).test(value)) return 'holds a control character'
  return undefined
}
