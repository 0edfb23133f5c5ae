import { secretPattern } from '../../domain/secret.ts'

/** Characters of a text of others that are shown at most. */
const longest = 200

/** What could end a quotation, start a line or turn the direction of what stands around it. */
const unsafe = /[\p{C}\p{Zl}\p{Zp}`<>]/gu

/**
 * A text of others inside a runbook: one line in quotes, as JSON, whatever stands in it; a secret somebody put there is left
 * out (security R5, R11).
 */
export function quoted(text: string): string {
  const characters = [...text.replace(secretPattern, '[secret]')]
  const shown = characters.length > longest ? [...characters.slice(0, longest), '…'] : characters
  return JSON.stringify(shown.join('')).replace(unsafe, escaped)
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
