import { z } from 'zod'
import { prefixPattern } from './secret.ts'

export const deliveryKinds = ['link', 'inline', 'file'] as const
export type DeliveryKind = (typeof deliveryKinds)[number]

const days = z.int().min(1).max(36_500)

const secretPrefix = (what: string) =>
  z
    .string()
    .regex(prefixPattern, 'must be 2 to 8 lower-case letters or digits')
    .describe(`Prefix of new ${what}; older secrets keep theirs.`)

/** Policy of the instance: every process on the store obeys it, and only an admin changes it (security R19). */
export const settingsSchema = z.strictObject({
  default_lifetime_days: days.describe('Lifetime in days of a token whose creator names none.'),
  max_lifetime_days: days
    .nullable()
    .describe('No token lives longer than this many days; null = no maximum. Binds every face.'),
  delivery_kinds: z
    .array(z.enum(deliveryKinds))
    .min(1)
    .max(deliveryKinds.length)
    .describe('How new secrets may be handed over on the MCP face.'),
  token_prefix: secretPrefix('tokens'),
  key_prefix: secretPrefix('management keys'),
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
  delivery_kinds: [...deliveryKinds],
  token_prefix: 'mcpt',
  key_prefix: 'mcpm',
  public_url: null,
}
