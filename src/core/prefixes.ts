import type { Store } from '../../db/open.ts'
import * as settings from '../../db/settings.ts'
import type { Settings } from '../domain/settings.ts'
import { linkPrefix } from './delivery.ts'
import { StartRefused } from './master-key.ts'

/** A member of the settings and the rule it breaks beside the others. */
export interface Confusion {
  field: keyof Settings
  rule: string
}

/** Prefixes by which one kind of secret would be taken for another (security R1). */
export function confusedPrefix({ token_prefix, key_prefix }: Settings): Confusion | undefined {
  if (token_prefix === key_prefix) return { field: 'key_prefix', rule: 'must differ from token_prefix' }
  const rule = `must not be "${linkPrefix}", which marks one-time links`
  if (token_prefix === linkPrefix) return { field: 'token_prefix', rule }
  return key_prefix === linkPrefix ? { field: 'key_prefix', rule } : undefined
}

/** Refuses to serve under settings that no operation would have stored; a command may still mend them. */
export async function refuseConfusion(store: Store): Promise<void> {
  const found = confusedPrefix(await settings.load(store.read))
  if (found === undefined) return
  throw new StartRefused(
    `The setting ${found.field} ${found.rule}. Change it with: tokenwright settings set ${found.field} <prefix>`,
  )
}
