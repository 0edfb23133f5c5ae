import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { CompiledQuery, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as audit from '../../db/audit.ts'
import { openStore } from '../../db/open.ts'
import { openApp } from '../../src/app.ts'
import { sweep } from '../../src/core/sweep.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import { makeLog } from '../../src/log.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { database, databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { startChild } from '../support/processes.ts'
import { leak, makeToken, plantKey } from '../support/world.ts'

const log = makeLog('silent')

describe.each(databases)('starting on $name', (kind) => {
  it('R55, R14, R3: 8 processes starting at once on an empty store all start, with one schema, one master key and one admin key', async () => {
    for (let round = 0; round < 3; round++) {
      const place = await kind.fresh()
      const children = Array.from({ length: 8 }, () =>
        startChild({ work: 'open', dataDir: place.dataDir, location: place.location }),
      )
      const codes = await Promise.all(children.map((child) => child.ended))
      expect(codes).toEqual(Array(8).fill(0))
      const files = children
        .flatMap((child) => child.said.map((line) => line['adminKeyFile']))
        .filter((file) => file !== null)
      expect(files).toEqual([join(place.dataDir, 'admin.key')])
      const store = await openStore({ location: place.location, busyTimeout: 5_000 })
      const keys = await store.read.selectFrom('tokens').select(['role', 'source']).execute()
      expect(keys).toEqual([{ role: 'admin', source: 'bootstrap' }])
      expect(await store.read.selectFrom('audit_head').select('schema_version').execute()).toHaveLength(1)
      await store.close()
      const instance = await openInstance(kind, place)
      expect(await instance.actor(instance.adminKey)).toMatchObject({ kind: 'management', role: 'admin' })
      await instance.close()
      await place.remove()
    }
  })

  it('R55: a start that is killed at any statement of the migration leaves nothing half done; the next start works', async () => {
    const place = await kind.fresh()
    let killed = 0
    for (let nth = 1; nth < 90; nth += 9) {
      const child = startChild({ work: 'open', dataDir: place.dataDir, location: place.location, dieAt: nth })
      const end = await child.ended
      if (end === 'SIGKILL') killed += 1
      else expect(end).toBe(0)
      if (existsSync(join(place.dataDir, 'admin.key'))) break
    }
    expect(killed).toBeGreaterThan(4)
    const instance = await openInstance(kind, place)
    expect((await makeToken(instance)).token.status).toBe('active')
    expect(await instance.actor(instance.adminKey)).toMatchObject({ role: 'admin' })
    const found = await audit.verifyChain(instance.core.store.read, instance.core.keys.audit)
    expect(found.first_bad_seq).toBeNull()
    await instance.close()
    await place.remove()
  })

  it('R55: a newer schema refuses the start, and stops every write of a process that is already running, while reads go on', async () => {
    const instance = await openInstance(kind)
    const { id, secret } = await makeToken(instance)
    await instance.core.store.write((db) =>
      db.updateTable('audit_head').set({ schema_version: 99 }).execute(),
    )
    const { dataDir, location } = instance.place
    await expect(openApp({ dataDir, location, serving: false, log })).rejects.toThrow(
      /schema version 99.*newer/s,
    )
    expect(await refusal(instance.call('operator', create_token, { name: 'x' }))).toBe('unavailable')
    expect((await instance.call('reader', get_token, { token_id: id })).token.id).toBe(id)
    expect((await instance.core.verifier.verify(secret, {})).verdict).toBe('valid')
    await instance.core.uses.flush()
    await expect(sweep(instance.core)).rejects.toThrow('schema version 99')
    const { use_count } = await instance.core.store.read
      .selectFrom('tokens')
      .select('use_count')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    expect(use_count).toBe(0)
    await instance.close()
  })

  it('R3: a store without its master key, or with another one, does not start, and no new key is written beside it', async () => {
    const instance = await openInstance(kind)
    const { dataDir, location } = instance.place
    const file = join(dataDir, 'secret.key')
    const original = readFileSync(file, 'utf8')
    rmSync(file)
    await expect(openApp({ dataDir, location, serving: false, log })).rejects.toThrow('secret.key')
    expect(existsSync(file)).toBe(false)
    writeFileSync(file, `${Buffer.alloc(32, 5).toString('base64url')}\n`)
    await expect(openApp({ dataDir, location, serving: false, log })).rejects.toThrow('does not belong')
    writeFileSync(file, 'short')
    await expect(openApp({ dataDir, location, serving: false, log })).rejects.toThrow('damaged')
    await expect(openApp({ dataDir, location, serving: false, log, secret: 'nonsense' })).rejects.toThrow(
      'TOKENWRIGHT_SECRET',
    )
    await expect(
      openApp({ dataDir, location, serving: false, log, secret: Buffer.alloc(32, 6).toString('base64url') }),
    ).rejects.toThrow('does not belong')
    const again = await openApp({ dataDir, location, serving: false, log, secret: original.trim() })
    await again.close()
    await instance.close()
  })

  it('R2: of 100 tokens and 20 keys, in use and rotated, no 16 characters of any secret are in the store or the log', async () => {
    const instance = await openInstance(kind)
    const secrets = [instance.adminKey]
    for (let n = 0; n < 100; n++)
      secrets.push(
        (await makeToken(instance, n % 2 ? { idempotency_key: `key-${n}-0123456789abcdef` } : {})).secret,
      )
    for (let n = 0; n < 20; n++) secrets.push((await plantKey(instance, 'management')).secret)
    for (const secret of secrets) await instance.core.verifier.verify(secret, {}, { management: true })
    await instance.core.uses.flush()
    const stored: Buffer[] = [Buffer.from(instance.log.join('\n'))]
    if (kind.name === 'sqlite') {
      for (const suffix of ['', '-wal', '-shm']) stored.push(readFileSync(instance.place.location + suffix))
    }
    const tables = (await instance.core.store.read.introspection.getTables()).map((table) => table.name)
    expect(tables.length).toBeGreaterThan(15)
    for (const table of tables) {
      const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(
        instance.core.store.read,
      )
      for (const row of rows)
        stored.push(
          ...Object.values(row).map((value) => (Buffer.isBuffer(value) ? value : Buffer.from(String(value)))),
        )
    }
    const bytes = Buffer.concat(stored)
    expect(secrets).toHaveLength(121)
    for (const secret of secrets) expect(leak(bytes, secret)).toBe(-1)
    await instance.close()
  })

  it('R14: TOKENWRIGHT_ADMIN_KEY is the first admin, a changed value replaces it, and a malformed one stops the start', async () => {
    const place = await kind.fresh()
    const [first, second] = [makeSecret('mcpm'), makeSecret('mcpm')]
    const start = (adminKey: string) =>
      openApp({ dataDir: place.dataDir, location: place.location, serving: false, log, adminKey })
    const good = async (app: Awaited<ReturnType<typeof start>>, secret: string) =>
      (await app.core.verifier.verify(secret, {}, { management: true })).verdict
    for (const bad of ['x', `${first}x`, makeSecret('mcpt'), first.toLowerCase(), ` ${first}`])
      await expect(start(bad)).rejects.toThrow('TOKENWRIGHT_ADMIN_KEY')
    const one = await start(first)
    expect([await good(one, first), await good(one, second)]).toEqual(['valid', 'unknown'])
    await one.close()
    const two = await start(second)
    expect([await good(two, first), await good(two, second)]).toEqual(['unknown', 'valid'])
    expect(existsSync(join(place.dataDir, 'admin.key'))).toBe(false)
    expect(await two.core.store.read.selectFrom('tokens').select('source').execute()).toEqual([
      { source: 'env' },
    ])
    await two.close()
    await place.remove()
  })
})

describe('SQLite', () => {
  const kind = database('sqlite')
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(kind)
  })
  afterAll(() => instance.close())

  it.each([
    ['serving', 20],
    ['command-line', 5_000],
  ])(
    'R42: in a %s process every connection reports the durable settings after a query',
    async (_, busyTimeout) => {
      const store = await openStore({ location: instance.place.location, busyTimeout })
      const pragmas = [
        'journal_mode',
        'synchronous',
        'foreign_keys',
        'trusted_schema',
        'cell_size_check',
        'journal_size_limit',
        'busy_timeout',
      ]
      const wanted = ['wal', 2, 1, 0, 1, 67_108_864, busyTimeout]
      const value = (row: unknown) => Object.values(row as object)[0]
      const seen = { read: [] as unknown[], write: [] as unknown[], lookup: [] as unknown[] }
      await store.read.selectFrom('audit').selectAll().limit(1).execute()
      await store.write((db) => db.selectFrom('audit').selectAll().limit(1).execute())
      await store.ping()
      for (const name of pragmas) {
        const text = `pragma ${name}`
        seen.read.push(value((await store.read.executeQuery(CompiledQuery.raw(text))).rows[0]))
        seen.write.push(
          value(await store.write(async (db) => (await db.executeQuery(CompiledQuery.raw(text))).rows[0])),
        )
        seen.lookup.push(value(await store.prepare(() => ({ compile: () => CompiledQuery.raw(text) }))([])))
      }
      expect(seen).toEqual({ read: wanted, write: wanted, lookup: wanted })
      await store.close()
    },
  )

  it('R46: the read and the look-up connections cannot write', async () => {
    await expect(instance.core.store.read.deleteFrom('tokens').execute()).rejects.toThrow('readonly')
    expect(() => instance.core.store.prepare((db) => db.deleteFrom('tokens') as never)([])).toThrow()
  })

  it('R4: database, -wal, -shm, secret.key and admin.key are private, also those that were not', async () => {
    const { dataDir, location } = instance.place
    for (const file of [
      location,
      `${location}-wal`,
      `${location}-shm`,
      join(dataDir, 'secret.key'),
      join(dataDir, 'admin.key'),
    ]) {
      expect([file, (statSync(file).mode & 0o077).toString(8)]).toEqual([file, '0'])
    }
  })

  it('R3: a copy of the database without its key does not start', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenwright-copy-'))
    const copy = join(folder, 'tokenwright.db')
    await instance.core.store.write(async () => undefined)
    new Database(instance.place.location).pragma('wal_checkpoint(truncate)')
    copyFileSync(instance.place.location, copy)
    await expect(openApp({ dataDir: folder, location: copy, serving: false, log })).rejects.toThrow(
      'secret.key is missing',
    )
    expect(existsSync(join(folder, 'secret.key'))).toBe(false)
    rmSync(folder, { recursive: true })
  })

  it('R2: tables are STRICT and a digest that has not 32 bytes is refused', async () => {
    const { rows } = await sql<{
      name: string
      strict: number
    }>`select name, strict from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite_%' and name not like 'kysely_%'`.execute(
      instance.core.store.read,
    )
    expect(rows.length).toBeGreaterThan(15)
    expect(rows.filter((row) => row.strict !== 1)).toEqual([])
    await expect(plantKey(instance, 'access', { secret_hash: Buffer.alloc(31) })).rejects.toThrow(
      /constraint/i,
    )
    await expect(plantKey(instance, 'access', { role: 'admin' })).rejects.toThrow(/constraint/i)
    await expect(plantKey(instance, 'management', { role: null })).rejects.toThrow(/constraint/i)
  })
})
