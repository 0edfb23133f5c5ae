import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type App, openApp } from '../../src/app.ts'
import type { Actor } from '../../src/core/actor.ts'
import { authenticate } from '../../src/core/authenticate.ts'
import { invoke } from '../../src/core/invoke.ts'
import type { AnyOperation } from '../../src/core/operation.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import { makeLog } from '../../src/log.ts'
import { create_backup } from '../../tools/system/create_backup.ts'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { reset_system } from '../../tools/system/reset_system.ts'
import { restore_backup } from '../../tools/system/restore_backup.ts'
import { databases, type Place } from '../support/databases.ts'

describe.each(databases)('R14, R57: the admin key of the environment and restores on $name', (database) => {
  let places: Place[]
  let place: Place
  let other: Place
  beforeEach(async () => {
    place = await database.fresh()
    other = await database.fresh()
    places = [place, other]
    return async () => {
      for (const one of places) await one.remove()
    }
  })

  const local: Actor = { kind: 'local', id: 'tester', role: 'admin' }
  // biome-ignore lint/suspicious/noExplicitAny: whatever the operation answers
  const run = (app: App, actor: Actor, operation: AnyOperation, input: object): Promise<any> =>
    invoke(app.core, { actor, via: 'cli', ip: null, client: null, request_id: 'req_x' }, operation, input)

  /** Starts with this key, does the work as its holder, and ends. */
  async function started<T>(
    at: Place,
    adminKey: string,
    work: (app: App, holder: Actor) => Promise<T>,
  ): Promise<T> {
    const { dataDir, location } = at
    const app = await openApp({ dataDir, location, serving: false, log: makeLog('silent'), adminKey })
    try {
      return await work(app, await authenticate(app.core.verifier, adminKey, null))
    } finally {
      await app.close()
    }
  }

  const good = async (app: App, secret: string) =>
    (await app.core.verifier.verify(secret, {}, { management: true })).verdict
  const fromEnv = async ({ core }: App) =>
    (await core.store.read.selectFrom('tokens').select('id').where('source', '=', 'env').execute()).length

  it('a key that was replaced after the backup stays the new one, and the old one stays dead', async () => {
    const [first, second] = [makeSecret('mcpm'), makeSecret('mcpm')]
    const { backup: data } = await started(place, first, (app) => run(app, local, create_backup, {}))
    await started(place, second, (app, holder) => run(app, holder, restore_backup, { data }))
    await started(place, second, async (app) => {
      expect([await good(app, first), await good(app, second)]).toEqual(['unknown', 'valid'])
      expect(await fromEnv(app)).toBe(1)
    })
  })

  it('a backup of an instance with another key comes back beside it, and both instances start on', async () => {
    const [first, second] = [makeSecret('mcpm'), makeSecret('mcpm')]
    const { backup: data } = await started(place, first, (app) => run(app, local, create_backup, {}))
    copyFileSync(join(place.dataDir, 'secret.key'), join(other.dataDir, 'secret.key'))
    for (const from of ['key', 'command line']) {
      await started(other, second, (app, holder) =>
        run(app, from === 'key' ? holder : local, restore_backup, { data }),
      )
      await started(other, second, async (app) => {
        expect([await good(app, first), await good(app, second)]).toEqual(['valid', 'valid'])
        expect(await fromEnv(app)).toBe(1)
      })
    }
    await started(place, first, async (app) => expect(await good(app, first)).toBe('valid'))
  })

  it('a key that was made anew after a reset by another stays one key when the snapshot comes back', async () => {
    const key = makeSecret('mcpm')
    const file = await started(place, key, async (app) => {
      const made = await run(app, local, create_management_key, { name: 'second', role: 'admin' })
      const second = await authenticate(app.core.verifier, made.secret, null)
      const { snapshot_file } = await run(app, second, reset_system, { confirm: true })
      expect(await good(app, key)).toBe('unknown')
      return snapshot_file as string
    })
    await started(place, key, (app, holder) => run(app, holder, restore_backup, { input_file: file }))
    await started(place, key, async (app) => {
      expect(await good(app, key)).toBe('valid')
      expect(await fromEnv(app)).toBe(1)
    })
  })
})
