import { z } from 'zod'
import { operation } from '../../src/core/operation.ts'
import { settingsSchema } from '../../src/domain/settings.ts'

export const get_settings = operation({
  name: 'get_settings',
  title: 'Get the settings',
  description:
    'Shows the policy every process on this store obeys: lifetimes, ways to hand over secrets, prefixes, public address. Values nobody has set are the defaults. Change them with update_settings.',
  input: z.strictObject({}),
  output: z.object({ settings: settingsSchema }),
  permission: 'system:read',
  effect: 'read',
  faces: ['rest', 'cli'],
  async run(ctx) {
    return { settings: await ctx.settings() }
  },
})
