import type { BlockName, GuardrailPolicy } from '../guardrail-policy.ts'
import { injection } from './injection.ts'
import { isLargerThan } from './json-size.ts'
import { type Detector, type Family, type Leaf, leafOf } from './leaf.ts'
import { keywordFamily, patternFamily } from './lists.ts'
import { pii, withoutPii } from './pii.ts'
import { newRedactions, type Redactions, reserve } from './redactions.ts'
import { secrets } from './secrets.ts'
import { eachText, mapTexts, type Place, pathOf, type Text } from './walk.ts'

/** What a policy asks for, ready to be asked; make it once for each policy. */
export interface Screen {
  readonly checks: readonly { block: BlockName; family: Family }[]
  /** Most bytes of JSON text. */
  readonly mostBytes: number | undefined
  readonly redacts: boolean
  /** The answer to a request gets the caller's texts back, by `restore`. */
  readonly restores: boolean
}

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

const defaultMostBytes = 262_144

/** Reads a stored policy; one that is off asks for nothing. */
export function compilePolicy({ enabled, block, additional_config: config }: GuardrailPolicy): Screen {
  if (!enabled) return { checks: [], mostBytes: undefined, redacts: false, restores: false }
  const { keywords, patterns, max_bytes, pii_redaction, pii_restore } = config
  const keyword = () => [keywordFamily(textsOf(keywords))]
  const regex = () => [patternFamily(textsOf(patterns))]
  const families: Record<BlockName, () => Family[]> = {
    policy_violation: () => [...keyword(), ...regex()],
    injection_attack: () => [injection],
    pii: () => [pii],
    secrets: () => [secrets],
    keyword,
    regex,
    size: () => [],
  }
  const blocks = [...new Set(block)]
  const redacts = pii_redaction === true && !blocks.includes('pii')
  return {
    checks: blocks.flatMap((name) => families[name]().map((family) => ({ block: name, family }))),
    mostBytes: blocks.includes('size')
      ? typeof max_bytes === 'number'
        ? max_bytes
        : defaultMostBytes
      : undefined,
    redacts,
    restores: redacts && pii_restore === true,
  }
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

/** What was stored before lists were judged may be no list. */
function textsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((text) => typeof text === 'string') : []
}
