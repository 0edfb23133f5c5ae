import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import * as audit from '../../db/audit.ts'
import { database } from '../support/databases.ts'
import { openInstance } from '../support/instance.ts'
import { startChild } from '../support/processes.ts'

interface Acknowledged {
  id: string
  generation: number
  secret: string
  revoked: boolean
}

describe('durability of SQLite', () => {
  it('R43: after 50 kills of a writer every acknowledged change is there, nothing is half done, and the trail holds', async () => {
    const place = await database('sqlite').fresh()
    const acknowledged = new Map<string, Acknowledged>()
    const unsure = new Set<string>()
    let changes = 0
    const round = async () => {
      const child = startChild({ work: 'write', dataDir: place.dataDir, location: place.location })
      await child.says((line) => 'id' in line)
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 80))
      await child.kill()
      const said = child.said as unknown as Acknowledged[]
      changes += said.length
      for (const one of said) acknowledged.set(one.id, one)
      // The change after the last acknowledgement may or may not have been committed.
      const last = said.at(-1)
      if (last !== undefined) unsure.add(last.id)
    }
    // Two at a time: each is killed while another writes.
    for (let n = 0; n < 25; n++) await Promise.all([round(), round()])

    const raw = new Database(place.location)
    expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
    expect(raw.pragma('foreign_key_check')).toEqual([])
    raw.close()
    const instance = await openInstance(database('sqlite'), place)
    const { read } = instance.core.store
    const rows = new Map(
      (await read.selectFrom('tokens').selectAll().where('kind', '=', 'access').execute()).map((row) => [
        row.id,
        row,
      ]),
    )
    expect(changes).toBeGreaterThan(200)
    for (const one of acknowledged.values()) {
      const row = rows.get(one.id)
      const { verdict } = await instance.core.verifier.verify(one.secret, {})
      const state = { generation: row?.generation, revoked: row?.revoked_at !== null, verdict }
      const wanted = {
        generation: one.generation,
        revoked: one.revoked,
        verdict: one.revoked ? 'revoked' : 'valid',
      }
      if (!unsure.has(one.id)) expect(state).toEqual(wanted)
      // One change further at most.
      else expect([one.generation, one.generation + 1]).toContain(row?.generation)
    }
    const created = await read
      .selectFrom('audit')
      .select('target_id')
      .where('action', '=', 'create_token')
      .execute()
    expect(created.map((row) => row.target_id).sort()).toEqual([...rows.keys()].sort())
    const trail = async (action: string) =>
      (await read.selectFrom('audit').select('seq').where('action', '=', action).execute()).length
    const all = [...rows.values()]
    expect(await trail('rotate_token')).toBe(all.reduce((sum, row) => sum + row.generation - 1, 0))
    expect(await trail('revoke_token')).toBe(all.filter((row) => row.revoked_at !== null).length)
    expect((await audit.verifyChain(read, instance.core.keys.audit)).first_bad_seq).toBeNull()
    await instance.close()
    await place.remove()
  }, 90_000)
})
