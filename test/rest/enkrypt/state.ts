import { expect } from 'vitest'
import type { Instance } from '../../support/instance.ts'
import { contents, stateTables } from '../../support/world.ts'

/** What using a credential leaves in its row: refused requests may, and it comes late. */
const uses = /\\"(?:(?:secret_|previous_|last_)used_(?:at|ip)|use_count)\\":(?:null|\d+|\\"[^"]*\\")/g

/** Every row of the store by table, but for what using a credential leaves. */
async function state(instance: Instance): Promise<unknown> {
  return JSON.parse((await contents(instance, stateTables)).replace(uses, ''))
}

/** Proves that nothing in the store changes while the work is done. */
export async function unchanged(instance: Instance, work: () => Promise<unknown>): Promise<void> {
  const before = await state(instance)
  await work()
  expect(await state(instance)).toEqual(before)
}
