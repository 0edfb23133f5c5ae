import type { BlockName } from '../guardrail-policy.ts'
import type { Screen } from './compile.ts'
import { isLargerThan } from './json-size.ts'
import { type Detector, type Leaf, leafOf } from './leaf.ts'
import { withoutPii } from './pii.ts'
import { newRedactions, type Redactions, reserve } from './redactions.ts'
import { eachText, mapTexts, type Place, pathOf, type Text } from './walk.ts'

/** What was found, and where; never the text itself. */
export interface Finding {
  block: BlockName
  detector: string
  /** Such as `/arguments/to/0`; a name that is no plain word, or was found itself, is `*`. */
  path: string
}

export interface Screened {
  /** The first of each detector; any refuses. */
  findings: Finding[]
  /** What may pass on when nothing was found: the value, or a copy of it without personal data. */
  value: unknown
}

/**
 * Judges a JSON value, arguments or a result, by its names and texts, in time linear in its size. With a memory, what is
 * taken out can be put back by `restore`; give an answer one made by `apartFrom`.
 */
export function screen(compiled: Screen, value: unknown, memory: Redactions = newRedactions()): Screened {
  const { checks, mostBytes, redacts } = compiled
  // What is too large is not read any further.
  if (mostBytes !== undefined && isLargerThan(value, mostBytes))
    return { findings: [{ block: 'size', detector: 'size', path: '' }], value }
  const findings = checks.length === 0 ? [] : findingsIn(value, checks)
  return { findings, value: redacts && findings.length === 0 ? redacted(value, memory) : value }
}

function findingsIn(value: unknown, checks: Screen['checks']): Finding[] {
  const found = new Map<string, Finding>()
  const done = new Set<Detector>()
  const names = new Map<string, boolean>()
  const judge = (leaf: Leaf, place: Place | undefined, isName: boolean): boolean => {
    let isFound = false
    for (const { block, family } of checks) {
      if (!family.maybe(leaf)) continue
      for (const detector of family.detectors) {
        if ((done.has(detector) && !isName) || !detector.found(leaf)) continue
        isFound = true
        done.add(detector)
        const { name } = detector
        if (!found.has(`${block} ${name}`))
          found.set(`${block} ${name}`, { block, detector: name, path: pathOf(place) })
      }
    }
    return isFound
  }
  eachText(value, (text, name, place) => {
    if (name !== undefined) return judge(leafFor(text, name), place, false)
    // A name is judged by all detectors, as none that holds a match may be told in a path; many objects have the same.
    const known = names.get(String(text)) ?? judge(leafFor(text, name), place, true)
    names.set(String(text), known)
    return known
  })
  return [...found.values()]
}

function redacted(value: unknown, memory: Redactions): unknown {
  eachText(value, (text) => {
    if (typeof text === 'string') reserve(text, memory)
    return false
  })
  return mapTexts(value, (text, name) => {
    const clean = withoutPii(leafFor(text, name), memory)
    return clean === String(text) ? text : clean
  })
}

function leafFor(text: Text, name: string | undefined): Leaf {
  return leafOf(String(text), name, typeof text === 'number')
}
