import { defaultSettings, type Settings, settingsSchema } from '../src/domain/settings.ts'
import type { Db } from './open.ts'
import { compiledOnce } from './prepare.ts'

const selectAll = compiledOnce((db) => db.selectFrom('settings').select(['name', 'value']))

/** The policy in force: what was set, defaults for the rest. */
export async function load(db: Db): Promise<Settings> {
  const rows = await selectAll(db, [])
  if (rows.length === 0) return defaultSettings
  const stored = Object.fromEntries(rows.map((row) => [row.name, JSON.parse(row.value)]))
  return settingsSchema.parse({ ...defaultSettings, ...stored })
}

/** Stores the named members and leaves the others. */
export async function save(db: Db, changes: Partial<Settings>, now: string): Promise<void> {
  for (const [name, value] of Object.entries(changes)) {
    const row = { name, value: JSON.stringify(value), updated_at: now }
    await db
      .insertInto('settings')
      .values(row)
      .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
      .execute()
  }
}
