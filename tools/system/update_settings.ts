import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import * as settings from '../../db/settings.ts'
import { AppError } from '../../src/core/errors.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { confusedPrefix } from '../../src/core/prefixes.ts'
import { type Settings, settingsSchema } from '../../src/domain/settings.ts'

export const update_settings = operation({
  name: 'update_settings',
  title: 'Change the settings',
  description:
    'Changes the policy of the instance; members that are absent stay. It binds every process on this store from the next call on, and tokens that exist already when they are next rotated or prolonged. See what is in force with get_settings.',
  input: settingsSchema.partial(),
  output: z.object({ settings: settingsSchema, changed: z.boolean() }),
  permission: 'system:write',
  effect: 'change',
  faces: ['rest', 'cli'],
  idempotent: true,
  target: () => 'settings',
  async run(ctx, input) {
    refuseBound(ctx)
    const before = await ctx.settings()
    const asked: Partial<Settings> = Object.fromEntries(
      Object.entries(input).filter(([, value]) => value !== undefined),
    )
    const after = { ...before, ...asked }
    refuseConfusion(after)
    const names = (Object.keys(asked) as (keyof Settings)[]).filter(
      (name) => !isDeepStrictEqual(before[name], after[name]),
    )
    await settings.save(ctx.db, pick(after, names), ctx.now)
    ctx.note({ before: pick(before, names), after: pick(after, names) })
    return { settings: after, changed: names.length > 0 }
  },
})

/** Refuses prefixes that could be mistaken for one another, and an address a link cannot be put behind. */
function refuseConfusion(after: Settings): void {
  const confused = confusedPrefix(after)
  if (confused !== undefined) throw bad(confused.field, confused.rule)
  const { public_url } = after
  if (public_url === null) return
  const { username, password, search, hash } = new URL(public_url)
  if (username + password + search + hash !== '') {
    throw bad('public_url', 'must be an address without user, password, ? and #')
  }
}

function bad(field: keyof Settings, rule: string): AppError {
  return new AppError('invalid_input', `${field}: ${rule}.`, { field })
}

function pick(from: Settings, names: (keyof Settings)[]): Partial<Settings> {
  return Object.fromEntries(names.map((name) => [name, from[name]]))
}
