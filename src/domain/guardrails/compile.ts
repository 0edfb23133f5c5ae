import type { BlockName, GuardrailPolicy } from '../guardrail-policy.ts'
import { injection } from './injection.ts'
import type { Family } from './leaf.ts'
import { keywordFamily, patternFamily } from './lists.ts'
import { pii } from './pii.ts'
import { secrets } from './secrets.ts'

/** What a policy asks for, ready to be asked; make it once for each policy. */
export interface Screen {
  readonly checks: readonly { block: BlockName; family: Family }[]
  /** Most bytes of JSON text. */
  readonly mostBytes: number | undefined
  readonly redacts: boolean
  /** The answer to a request gets the caller's texts back, by `restore`. */
  readonly restores: boolean
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

/** What was stored before lists were judged may be no list. */
function textsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((text) => typeof text === 'string') : []
}
