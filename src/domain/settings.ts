import { z } from 'zod'
import { prefixPattern } from './secret.ts'

export const deliveryKinds = ['link', 'inline', 'file'] as const
export type DeliveryKind = (typeof deliveryKinds)[number]

/** What can be done about a secret that was seen where it should not be. */
export const leakActions = ['revoke', 'rotate', 'notify'] as const
export type LeakAction = (typeof leakActions)[number]

const days = z.int().min(1).max(36_500)

const secretPrefix = (what: string) =>
  z
    .string()
    .regex(prefixPattern, 'must be 2 to 8 lower-case letters or digits')
    .describe(`Prefix of new ${what}; older secrets keep theirs.`)

/** What may bind tokens: members of the settings, and of a project that asks for more than the instance. */
const policyMembers = {
  max_lifetime_days: days
    .nullable()
    .describe('No token lives longer than this many days; null = no maximum. Binds every face.'),
  require_expiry: z.boolean().describe('true = no token without an expiry. Binds every face.'),
  require_allowed_ips: z.boolean().describe('true = no token without an address list. Binds every face.'),
  max_live_tokens_per_owner: z
    .int()
    .min(1)
    .max(100_000)
    .nullable()
    .describe('An owner has so many tokens at most that are neither revoked nor expired; null = any number.'),
  delivery_kinds: z
    .array(z.enum(deliveryKinds))
    .min(1)
    .max(deliveryKinds.length)
    .describe('How new secrets may be handed over on the MCP face.'),
  dormant_days: days
    .nullable()
    .describe('Tokens that were not used for this many days are switched off; null = none is.'),
}

/** The members of the settings that bind tokens. */
export const policySchema = z.strictObject(policyMembers)

/** What a project asks of its tokens beyond the instance: absent and null ask for nothing. */
export const projectPolicySchema = policySchema.partial()

export type Policy = z.output<typeof policySchema>
export type ProjectPolicy = z.output<typeof projectPolicySchema>

/** Policy of the instance: every process on the store obeys it, and only an admin changes it (security R19). */
export const settingsSchema = z.strictObject({
  default_lifetime_days: days.describe('Lifetime in days of a token whose creator names none.'),
  ...policyMembers,
  leak_action: z
    .enum(leakActions)
    .describe('What a report of a leaked secret does where it names nothing else.'),
  token_prefix: secretPrefix('tokens'),
  key_prefix: secretPrefix('management keys'),
  destructive_per_hour: z
    .int()
    .min(0)
    .max(1_000)
    .nullable()
    .describe(
      'So many destructive operations an hour may one credential do through MCP before a person has to lift it; null = any number.',
    ),
  public_url: z
    .url({ protocol: /^https?$/ })
    .max(500)
    .nullable()
    .describe('The address people reach the HTTP server at; one-time links lead there.'),
})

export type Settings = z.output<typeof settingsSchema>

export const defaultSettings: Settings = {
  default_lifetime_days: 30,
  max_lifetime_days: null,
  require_expiry: false,
  require_allowed_ips: false,
  max_live_tokens_per_owner: null,
  delivery_kinds: [...deliveryKinds],
  dormant_days: null,
  leak_action: 'revoke',
  token_prefix: 'mcpt',
  key_prefix: 'mcpm',
  destructive_per_hour: 20,
  public_url: null,
}
