import { z } from 'zod'
import { keywordProblem, mostKeywords, mostPatterns, patternProblem } from './guardrails/lists.ts'
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

export type BlockName = (typeof blockNames)[number]

const policyName = z
  .string()
  .max(200)
  .refine(
    (text) => textProblem(text, 'line') === undefined,
    'holds characters that are not allowed in a name',
  )

/** The members that mean something here; what others mean is up to those who put them in. */
const knownConfig = z.object({
  pii_redaction: z.boolean().optional(),
  pii_restore: z.boolean().optional(),
  keywords: z.array(judged(keywordProblem)).max(mostKeywords).optional(),
  patterns: z.array(judged(patternProblem)).max(mostPatterns).optional(),
  max_bytes: z.int().min(1).max(1_073_741_824).optional(),
})

const additionalConfig = z
  .record(z.string().max(200), z.json())
  .refine((value) => JSON.stringify(value).length <= 65_536, {
    message: 'must be at most 65,536 characters as JSON',
    abort: true,
  })
  .superRefine((value, { issues }) => {
    for (const issue of knownConfig.safeParse(value).error?.issues ?? [])
      issues.push({ ...issue, input: value } as z.core.$ZodRawIssue)
  })

/** What is checked on one side of a server, requests or answers; what is missing is off (enkrypt:guardrails:policy:fields). */
export const guardrailPolicy = z
  .strictObject({
    enabled: z.boolean().default(false).describe('false = nothing is checked.'),
    policy_name: policyName.default('').describe('Name of the policy, for people.'),
    additional_config: additionalConfig
      .default({})
      .describe('Settings of the checks: pii_redaction, pii_restore, keywords, patterns (RE2), max_bytes.'),
    block: z.array(z.enum(blockNames)).max(50).default([]).describe('What is blocked where it is found.'),
  })
  .superRefine(({ enabled, block, additional_config }, issues) => {
    for (const [name, list] of [
      ['keyword', 'keywords'],
      ['regex', 'patterns'],
    ] as const) {
      const isEmpty = [additional_config[list] ?? []].flat().length === 0
      if (enabled && block.includes(name) && isEmpty)
        issues.addIssue({
          code: 'custom',
          path: ['additional_config', list],
          message: `must not be empty where block names ${name}`,
        })
    }
  })

export type GuardrailPolicy = z.output<typeof guardrailPolicy>

function judged(problemOf: (text: string) => string | undefined) {
  return z.string().superRefine((text, issues) => {
    const message = problemOf(text)
    if (message !== undefined) issues.addIssue({ code: 'custom', message })
  })
}

/** The policy that is stored as this JSON text; a member that is not there is off. */
export function storedPolicy(text: string): GuardrailPolicy {
  const off = { enabled: false, policy_name: '', additional_config: {}, block: [] }
  return { ...off, ...(JSON.parse(text) as Partial<GuardrailPolicy>) }
}
