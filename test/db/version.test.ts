import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from '../../db/open.ts'
import * as settings from '../../db/settings.ts'
import { database, type Place } from '../support/databases.ts'

describe('R46: the version of the store', () => {
  let place: Place
  let store: Store
  let beside: Store
  beforeEach(async () => {
    place = await database('sqlite').fresh()
    store = await openStore({ location: place.location, busyTimeout: 50 })
    beside = await openStore({ location: place.location, busyTimeout: 50 })
  })
  afterEach(async () => {
    await store.close()
    await beside.close()
    await place.remove()
  })

  const change = (where: Store, days: number) =>
    where.write((db) => settings.save(db, { max_lifetime_days: days }, new Date().toISOString()))

  it('differs after every commit of this process, without a turn of the event loop between', async () => {
    const seen = [store.version?.()]
    for (const [at, where] of [store, beside, store, beside].entries()) {
      await change(where, at + 1)
      seen.push(store.version?.())
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).not.toContain(undefined)
  })

  it('differs for what follows from the next event after a commit of another program', async () => {
    const other = new Database(place.location)
    const write = other.prepare('insert into meta values (?, ?)')
    for (let round = 0; round < 50; round++) {
      const before = store.version?.()
      // All that is asked in one turn gets one answer.
      write.run(`round ${round}`, '')
      await Promise.resolve()
      const within = store.version?.()
      await new Promise((resolve) => setImmediate(resolve))
      const after = store.version?.()
      expect([round, within === before, after === before]).toEqual([round, true, false])
    }
    other.close()
  })

  it('is the same while nobody commits', async () => {
    const before = store.version?.()
    for (let turn = 0; turn < 3; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      expect(store.version?.()).toBe(before)
    }
  })
})
