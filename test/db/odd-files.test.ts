import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { sql } from 'kysely'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { isUnavailable } from '../../db/errors.ts'
import { create_backup } from '../../tools/system/create_backup.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { database, databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { timed } from '../support/timing.ts'
import { makeToken } from '../support/world.ts'

const mebibyte = 1024 * 1024

const verdict = async ({ core }: Instance, secret: string) => (await core.verifier.verify(secret, {})).verdict
const ready = ({ core }: Instance) =>
  core.store.ping().then(
    () => true,
    (error) => (isUnavailable(error) ? false : Promise.reject(error)),
  )
const create = ({ call }: Instance) => call('operator', create_token, { name: 'x' })

describe('the log of SQLite (R58)', () => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database('sqlite'))
    return () => instance.close()
  })
  const log = () => statSync(`${instance.place.location}-wal`, { throwIfNoEntry: false })?.size ?? 0

  /** Writes this many MiB in transactions of half a MiB. */
  async function write(mebibytes: number): Promise<void> {
    for (let n = 0; n < 2 * mebibytes; n++) {
      // What is not changed is not written.
      const row = { name: `filler ${n % 4}`, value: randomBytes(mebibyte / 4).toString('hex') }
      await instance.core.store.write((db) =>
        db
          .insertInto('meta')
          .values(row)
          .onConflict((same) => same.column('name').doUpdateSet(row))
          .execute(),
      )
    }
  }

  it('stays short however much is written', async () => {
    await write(100)
    expect(log()).toBeLessThan(16 * mebibyte)
  })

  it('that grew while another process was reading is cut when writers are quiet, once that reader has gone', async () => {
    const reader = new Database(instance.place.location, { readonly: true })
    reader.exec('begin')
    reader.prepare('select count(*) from tokens').get()
    await write(80)
    expect(log()).toBeGreaterThan(70 * mebibyte)
    await sleep(1_500)
    reader.close()
    await expect.poll(log, { timeout: 5_000, interval: 100 }).toBe(0)
    expect((await makeToken(instance)).token.status).toBe('active')
  })

  it('is not kept long by a backup: it is cut afterwards', async () => {
    const { store } = instance.core
    await store.snapshot(async (db) => {
      await db.selectFrom('tokens').selectAll().execute()
      await write(20)
      return db.selectFrom('tokens').selectAll().execute()
    })
    expect(log()).toBeGreaterThan(15 * mebibyte)
    await expect.poll(log, { timeout: 5_000, interval: 100 }).toBe(0)
  })
})

describe.each(databases)('a snapshot on $name', (kind) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(kind)
    return () => instance.close()
  })
  const count = async (db: Parameters<Parameters<Instance['core']['store']['snapshot']>[0]>[0]) =>
    (await db.selectFrom('tokens').select('id').execute()).length

  it('R56: shows one moment, takes no writes, and holds up neither readers nor writers', async () => {
    const { store } = instance.core
    const seen = await store.snapshot(async (db) => {
      const before = await count(db)
      const [made, ms] = await timed(() => makeToken(instance))
      expect(await verdict(instance, made.secret)).toBe('valid')
      expect(await count(store.read)).toBe(before + 1)
      expect(ms).toBeLessThan(2_000)
      await expect(db.deleteFrom('tokens').execute()).rejects.toThrow(/read-?only/i)
      return before
    })
    expect(await count(store.read)).toBe(seen + 1)
  })

  it('R58: that takes too long is ended as unavailable, and keeps nothing open', async () => {
    const { store } = instance.core
    const [error, ms] = await timed(() =>
      store
        .snapshot(async (db) => {
          await count(db)
          await sleep(1_000)
          return count(db)
        }, 100)
        .catch((thrown: unknown) => thrown),
    )
    expect(isUnavailable(error)).toBe(true)
    expect(ms).toBeLessThan(900)
    if (kind.name === 'postgres') {
      const open = await sql<{
        n: number
      }>`select count(*) as n from pg_stat_activity where datname = current_database()
        and state like 'idle in transaction%'`.execute(store.read)
      expect(open.rows[0]?.n).toBe(0)
    }
    await sleep(1_000)
    expect(await store.snapshot(count)).toBe(1)
  })
})

it('R58: no query of PostgreSQL reads for longer than 5 s', async () => {
  const instance = await openInstance(database('postgres'))
  const [error, ms] = await timed(() =>
    sql`select pg_sleep(20)`.execute(instance.core.store.read).catch((thrown: unknown) => thrown),
  )
  expect(isUnavailable(error)).toBe(true)
  expect(ms).toBeLessThan(6_500)
  await instance.close()
})

describe('a store without room or right to write (R58)', () => {
  let instance: Instance
  let secret: string
  const open = async (name: 'sqlite' | 'postgres') => {
    instance = await openInstance(database(name))
    secret = (await makeToken(instance)).secret
    expect(await verdict(instance, secret)).toBe('valid')
    await instance.core.uses.flush()
  }
  afterEach(() => instance.close())

  async function refusesAndGoesOnReading() {
    expect(await refusal(create(instance))).toBe('unavailable')
    expect(await verdict(instance, secret)).toBe('valid')
    expect((await instance.call('reader', list_magic_tokens, {})).total).toBeGreaterThan(0)
    expect(await ready(instance)).toBe(false)
    expect(instance.log.join('')).toMatch(/operation failed/)
  }

  it('that is full is unavailable for changes and not ready, validation goes on, and it recovers', async () => {
    await open('sqlite')
    const { store } = instance.core
    const limit = (pages: number) =>
      store.write((db) => sql`pragma max_page_count = ${sql.raw(String(pages))}`.execute(db))
    await limit(1)
    let made = 0
    while ((await create(instance).catch((error: { code: string }) => error.code)) !== 'unavailable') made++
    expect(made).toBeLessThan(1_000)
    await refusesAndGoesOnReading()
    await limit(1_000_000)
    await create(instance)
    expect(await ready(instance)).toBe(true)
  })

  it('that became read-only is unavailable for changes and not ready, validation goes on, and it recovers', async () => {
    await open('postgres')
    const admin = new pg.Client({ connectionString: `${inject('postgresUrl')}/postgres` })
    await admin.connect()
    const name = new URL(instance.place.location).pathname.slice(1)
    const only = async (word: 'on' | 'off') => {
      await admin.query(`alter database ${name} set default_transaction_read_only = ${word}`)
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
      await expect
        .poll(() => verdict(instance, secret).catch(() => 'unavailable'), { timeout: 5_000 })
        .toBe('valid')
    }
    await only('on')
    await expect
      .poll(async () => [await refusal(create(instance)), await ready(instance)], { timeout: 5_000 })
      .toEqual(['unavailable', false])
    await refusesAndGoesOnReading()
    await only('off')
    await expect
      .poll(
        () =>
          create(instance).then(
            () => true,
            () => false,
          ),
        { timeout: 5_000 },
      )
      .toBe(true)
    expect(await ready(instance)).toBe(true)
    await admin.end()
  })

  it('whose file was removed makes no new one, neither by work nor by its end', async () => {
    await open('sqlite')
    const { dataDir, location } = instance.place
    for (const suffix of ['', '-wal', '-shm']) unlinkSync(location + suffix)
    await sleep(150)
    const before = readdirSync(dataDir).sort()
    expect(await refusal(create(instance))).toBe('unavailable')
    expect(await refusal(instance.call('admin', create_backup, {}))).toBe('unavailable')
    await expect(verdict(instance, secret)).rejects.toSatisfy(isUnavailable)
    expect(await ready(instance)).toBe(false)
    await instance.app.close()
    expect(readdirSync(dataDir).sort()).toEqual(before)
    expect(existsSync(location)).toBe(false)
  })
})
