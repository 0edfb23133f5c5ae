import { type BlockName, guardrailPolicy } from '../../../src/domain/guardrail-policy.ts'
import { compilePolicy } from '../../../src/domain/guardrails/compile.ts'
import { newRedactions } from '../../../src/domain/guardrails/redactions.ts'
import { screen } from '../../../src/domain/guardrails/screen.ts'

/** A policy that is on, as it is set. */
export function compiled(block: BlockName[], additional_config: Record<string, unknown> = {}) {
  return compilePolicy(guardrailPolicy.parse({ enabled: true, block, additional_config }))
}

/** The detectors of one block that find something in a value, in the order they do. */
export function foundIn(block: BlockName, value: unknown, additional_config: Record<string, unknown> = {}) {
  return screen(compiled([block], additional_config), value).findings.map(({ detector }) => detector)
}

const redacting = compiled([], { pii_redaction: true })

/** A value with its personal data redacted. */
export function redactedIn(value: unknown): unknown {
  return screen(redacting, value, newRedactions()).value
}
