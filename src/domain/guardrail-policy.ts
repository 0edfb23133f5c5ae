import { z } from 'zod'
import { textProblem } from './text.ts'

/** What a policy can block; another name would protect nothing, so it is refused (enkrypt:guardrails:policy:block-names). */
export const blockNames = [
  'policy_violation',
  'injection_attack',
  'pii',
  'secrets',
  'keyword',
  'regex',
  'size',
] as const

const policyName = z
  .string()
  .max(200)
  .refine(
    (text) => textProblem(text, 'line') === undefined,
    'holds characters that are not allowed in a name',
  )

const additionalConfig = z
  .record(z.string().max(200), z.json())
  .refine((value) => JSON.stringify(value).length <= 65_536, 'must be at most 65,536 characters as JSON')
  .refine(({ pii_redaction }) => pii_redaction === undefined || typeof pii_redaction === 'boolean', {
    message: 'must be true or false',
    path: ['pii_redaction'],
  })

/** What is checked on one side of a server, requests or answers; what is missing is off (enkrypt:guardrails:policy:fields). */
export const guardrailPolicy = z.strictObject({
  enabled: z.boolean().default(false).describe('false = nothing is checked.'),
  policy_name: policyName.default('').describe('Name of the policy, for people.'),
  additional_config: additionalConfig
    .default({})
    .describe('Settings of the checks, such as pii_redaction and the lists of keywords and patterns.'),
  block: z.array(z.enum(blockNames)).max(50).default([]).describe('What is blocked where it is found.'),
})

export type GuardrailPolicy = z.output<typeof guardrailPolicy>

/** The policy that is stored as this JSON text; a member that is not there is off. */
export function storedPolicy(text: string): GuardrailPolicy {
  const off = { enabled: false, policy_name: '', additional_config: {}, block: [] }
  return { ...off, ...(JSON.parse(text) as Partial<GuardrailPolicy>) }
}
