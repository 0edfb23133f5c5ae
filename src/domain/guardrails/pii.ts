import { flattened } from './folding.ts'
import { type Family, type Leaf, leafOf } from './leaf.ts'
import { card } from './pii/card.ts'
import { email } from './pii/email.ts'
import type { PiiFinder, Span } from './pii/finder.ts'
import { iban } from './pii/iban.ts'
import { brazil } from './pii/ids/brazil.ts'
import { finland } from './pii/ids/finland.ts'
import { france } from './pii/ids/france.ts'
import { italy } from './pii/ids/italy.ts'
import { netherlands } from './pii/ids/netherlands.ts'
import { poland } from './pii/ids/poland.ts'
import { spain } from './pii/ids/spain.ts'
import { sweden } from './pii/ids/sweden.ts'
import { unitedStates } from './pii/ids/united-states.ts'
import { phone } from './pii/phone.ts'
import { placeholderOf, type Redactions } from './redactions.ts'

/** Where two find the same text, the first names it. */
const finders: readonly PiiFinder[] = [
  email,
  iban,
  card,
  spain,
  france,
  italy,
  netherlands,
  poland,
  brazil,
  finland,
  sweden,
  unitedStates,
  phone,
]

/** Nothing is personal data without an at sign, seven digits that stand near each other, or 16 symbols in a row. */
const anyKind = /@|\d(?:\D{0,4}\d){6}|[0-9a-z]{16}/i

export const pii: Family = {
  maybe: ({ text }) => anyKind.test(flattened(text)),
  detectors: finders.map((finder) => ({
    name: finder.name,
    found: (leaf) => finder.find(flattened(leaf.text), leaf).length > 0,
  })),
}

/** What is gone may have hidden what stood beside it: digits that followed other digits. */
const mostPasses = 3

/** A text with each part that is personal data replaced; parts that overlap are replaced as one. */
export function withoutPii(leaf: Leaf, memory: Redactions): string {
  let clean = leaf
  for (let pass = 0; pass < mostPasses && pii.maybe(clean); pass++) {
    const text = replaced(clean, memory)
    if (text === clean.text) break
    clean = leafOf(text, leaf.name)
  }
  return clean.text
}

function replaced(leaf: Leaf, memory: Redactions): string {
  let clean = ''
  let from = 0
  for (const { start, end, kind } of partsOf(leaf)) {
    clean += leaf.text.slice(from, start) + placeholderOf(kind, leaf.text.slice(start, end), memory)
    from = end
  }
  return clean + leaf.text.slice(from)
}

function partsOf(leaf: Leaf): (Span & { kind: PiiFinder['kind'] })[] {
  const text = flattened(leaf.text)
  const found = finders.flatMap((finder) =>
    finder.find(text, leaf).map((span) => ({ ...span, kind: finder.kind })),
  )
  const parts: typeof found = []
  // The sort keeps the order of the finders where two begin at one place.
  for (const next of found.sort((one, other) => one.start - other.start)) {
    const last = parts.at(-1)
    if (last !== undefined && next.start < last.end) last.end = Math.max(last.end, next.end)
    else parts.push(next)
  }
  return parts
}
