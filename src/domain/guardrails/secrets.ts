import { wellFormed } from '../secret.ts'
import { type KeyFormat, keyFormats } from './key-formats.ts'
import { type Detector, type Family, shortText } from './leaf.ts'

/** Shorter than any key of the table. */
const least = 10
const prefixLengths = [2, 3, 4, 5, 6, 7, 8]
const body = 43

/**
 * Our own tokens, whatever prefix they were configured with: a checksum over 48 characters is no accident. What is
 * glued to one on either side hides nothing.
 */
const ownToken: Detector = {
  name: 'own_token',
  found({ plain }) {
    for (const { index } of plain.matchAll(/_(?=[0-9A-Za-z]{43})/g)) {
      const end = index + 1 + body
      if (prefixLengths.some((length) => index >= length && wellFormed(plain.slice(index - length, end))))
        return true
    }
    return false
  },
}

const anyFormat = new RegExp(
  `_[0-9A-Za-z]{${body}}|${keyFormats.map(({ pattern }) => pattern.source).join('|')}`,
)

export const secrets: Family = {
  maybe: ({ plain }) => plain.length >= least && (plain.length > shortText || anyFormat.test(plain)),
  detectors: [ownToken, ...keyFormats.map(formatDetector)],
}

function formatDetector({ name, pattern, check }: KeyFormat): Detector {
  if (check === undefined) return { name, found: ({ plain }) => pattern.test(plain) }
  const each = new RegExp(pattern, 'g')
  return {
    name,
    found: ({ plain }) => [...plain.matchAll(each)].some(check),
  }
}
