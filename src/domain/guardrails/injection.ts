import { folded, plain } from './folding.ts'
import { commentsOf, decodedOf, encoded, hidesText } from './hidden-text.ts'
import { addressed, phrases, poisonedTag, roleMarker } from './injection-phrases.ts'
import { type Detector, type Family, shortText } from './leaf.ts'

const anyPhrase = new RegExp(
  [...phrases.map(({ pattern }) => pattern.source), roleMarker.source].join('|'),
  'u',
)

/** Heuristics for texts that command a model; a finding names which. */
const detectors: readonly Detector[] = [
  ...phrases.map(
    ({ name, pattern }): Detector => ({ name, found: ({ folded: text }) => pattern.test(text) }),
  ),
  { name: 'role_marker', found: ({ folded: text }) => roleMarker.test(text) },
  { name: 'tool_poisoning', found: ({ folded: text }) => poisonedTag.test(text) },
  { name: 'hidden_text', found: ({ text }) => hidesText(text) },
  {
    name: 'hidden_comment',
    found: ({ folded: text }) => [...commentsOf(text)].some((comment) => addressed.test(comment)),
  },
  {
    name: 'encoded_phrase',
    found: ({ plain: text }) =>
      [...decodedOf(text)].some((decoded) => anyPhrase.test(folded(plain(decoded)))),
  },
]

export const injection: Family = {
  maybe: ({ text, plain: seen, folded: loose }) =>
    text.length > shortText ||
    seen !== text ||
    loose.includes('<') ||
    encoded.test(seen) ||
    anyPhrase.test(loose),
  detectors,
}
