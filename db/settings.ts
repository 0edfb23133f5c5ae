import { defaultSettings, type Settings, settingsSchema } from '../src/domain/settings.ts'
import type { Db } from './open.ts'

/** The policy in force: what was set, defaults for the rest. */
export async function load(db: Db): Promise<Settings> {
  const rows = await db.selectFrom('settings').select(['name', 'value']).execute()
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
