import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { isUnavailable } from '../../db/errors.ts'
import { AppError } from '../../src/core/errors.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { database, type Place } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { startChild } from '../support/processes.ts'
import { makeToken } from '../support/world.ts'

/** What a validation answers while the store is at fault, and how long it took, ms. */
async function asked({ call }: Instance, secret: string): Promise<{ answer: string; ms: number }> {
  const start = performance.now()
  const answer = await call('validator', validate_token, { token: secret }).then(
    (output) => output.verdict,
    (error) => (error instanceof AppError ? error.code : String(error)),
  )
  return { answer, ms: performance.now() - start }
}

async function refusedAsUnavailable(instance: Instance, secret: string): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const { answer, ms } = await asked(instance, secret)
    expect(answer).toBe('unavailable')
    expect(ms).toBeLessThan(2_000)
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('faults of SQLite', () => {
  let instance: Instance
  let secret: string
  beforeEach(async () => {
    instance = await openInstance(database('sqlite'))
    secret = (await makeToken(instance)).secret
    expect((await asked(instance, secret)).answer).toBe('valid')
    await instance.core.uses.flush()
  })
  afterEach(async () => {
    await instance.app.close().catch(() => undefined)
    await instance.place.remove()
  })

  it('R18: a deleted file is unavailable, never a verdict, for validations and changes', async () => {
    unlinkSync(instance.place.location)
    await pause(150)
    await refusedAsUnavailable(instance, secret)
    expect(await refusal(instance.call('operator', create_token, { name: 'x' }))).toBe('unavailable')
    expect(instance.log.join('')).toMatch(/moved, replaced,? (or )?deleted/)
    // R1: what is malformed is refused before any look-up, so it needs no store.
    expect((await asked(instance, `${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`)).answer).toBe(
      'invalid',
    )
  })

  it('R18: a replaced file is unavailable, also when the new one is a good store', async () => {
    const other = await openInstance(database('sqlite'))
    await other.app.close()
    renameSync(other.place.location, instance.place.location)
    await pause(150)
    await refusedAsUnavailable(instance, secret)
    await other.place.remove()
  })

  it('R18: damaged pages are unavailable, never a verdict', async () => {
    const { location } = instance.place
    for (let n = 0; n < 50; n++) await makeToken(instance)
    const checkpoint = new Database(location)
    checkpoint.pragma('wal_checkpoint(truncate)')
    checkpoint.close()
    const file = openSync(location, 'r+')
    const { size } = statSync(location)
    for (let at = 4_096; at < size; at += 4_096) writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, at)
    closeSync(file)
    const fresh = startChild({ work: 'validate', dataDir: instance.place.dataDir, location, secret })
    await refusedAsUnavailable(instance, secret)
    // A process that starts on it refuses the start.
    expect(await fresh.ended).not.toBe(0)
    expect(fresh.said).toEqual([])
  })

  it('R18: a file that is cut in place ends no process and gives no verdict', async () => {
    const { dataDir, location } = instance.place
    for (let n = 0; n < 50; n++) await makeToken(instance)
    await instance.app.close()
    const child = startChild({ work: 'validate', dataDir, location, secret, serving: true })
    await child.says((line) => line['verdict'] === 'valid')
    const checkpoint = new Database(location)
    checkpoint.pragma('wal_checkpoint(truncate)')
    // Reads come from the file now, not from the log beside it.
    await pause(100)
    truncateSync(location, 4_096)
    const before = child.said.length
    await pause(300)
    expect([child.process.exitCode, child.process.signalCode]).toEqual([null, null])
    const after = child.said.slice(before + 5).map((line) => String(line['verdict']))
    expect(after.length).toBeGreaterThan(3)
    expect(
      after.filter((verdict) => !/^error (SQLITE_(CORRUPT|IOERR|NOTADB))|^valid$/.test(verdict)),
    ).toEqual([])
    await child.kill()
    checkpoint.close()
  })

  it('R18: without permission to read, a start is refused and nothing is made', async () => {
    const { dataDir, location } = instance.place
    await instance.app.close()
    renameSync(location, `${location}.kept`)
    writeFileSync(location, 'this is no database at all, only text in a file of the same name')
    chmodSync(location, 0o600)
    await expect(openInstance(database('sqlite'), instance.place)).rejects.toThrow(/not a database/)
    rmSync(location)
    copyFileSync(`${location}.kept`, location)
    const again = await openInstance(database('sqlite'), { dataDir, location, remove: async () => undefined })
    expect((await asked(again, secret)).answer).toBe('valid')
    await again.close()
  })

  it('R18, R45: while another process holds the file for itself, validation answers from a successful read, and a change waits, then says unavailable', async () => {
    const holder = startChild({ work: 'hold', ...instance.place, times: 6_500 })
    await holder.says((line) => line['held'] === true)
    const start = performance.now()
    const change = refusal(instance.call('operator', create_token, { name: 'waits too long' }))
    for (let round = 0; round < 20; round++) {
      const { answer, ms } = await asked(instance, secret)
      expect(answer).toBe('valid')
      expect(ms).toBeLessThan(2_000)
      await pause(20)
    }
    expect(await change).toBe('unavailable')
    expect(performance.now() - start).toBeLessThan(6_400)
    await holder.kill()
    expect((await instance.call('reader', list_magic_tokens, { text: 'waits' })).total).toBe(0)
  })
})

describe('faults of PostgreSQL', () => {
  it('R18: when its connections are ended, validations go on within 2 s without a wrong verdict', async () => {
    const instance = await openInstance(database('postgres'))
    const { secret } = await makeToken(instance)
    const admin = new pg.Client({ connectionString: `${inject('postgresUrl')}/postgres` })
    await admin.connect()
    const name = new URL(instance.place.location).pathname.slice(1)
    const seen: string[] = []
    for (let round = 0; round < 10; round++) {
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
      for (let n = 0; n < 3; n++) {
        const { answer, ms } = await asked(instance, secret)
        expect(ms).toBeLessThan(2_000)
        seen.push(answer)
      }
    }
    expect(seen.filter((answer) => answer !== 'valid' && answer !== 'unavailable')).toEqual([])
    expect(seen.filter((answer) => answer === 'valid').length).toBeGreaterThan(9)
    await admin.end()
    await instance.close()
  })

  it('R18: a connection ended between two statements of a transaction is unavailable, and ends no process', async () => {
    const instance = await openInstance(database('postgres'))
    const admin = new pg.Client({ connectionString: `${inject('postgresUrl')}/postgres` })
    await admin.connect()
    const name = new URL(instance.place.location).pathname.slice(1)
    const change = instance.core.store.write(async (db) => {
      await db.selectFrom('audit_head').selectAll().forUpdate().execute()
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
      await pause(100)
      await db.updateTable('audit_head').set({ seq: 999 }).execute()
    })
    const error = await change.then(
      () => undefined,
      (reason) => reason,
    )
    expect(isUnavailable(error)).toBe(true)
    const { seq } = await instance.core.store.read
      .selectFrom('audit_head')
      .select('seq')
      .executeTakeFirstOrThrow()
    expect(seq).toBe(1)
    expect((await makeToken(instance)).token.status).toBe('active')
    await admin.end()
    await instance.close()
  })

  describe('of its own', () => {
    let server: Awaited<ReturnType<typeof startPostgres>>
    let instance: Instance
    let secret: string
    beforeEach(async () => {
      server = await startPostgres()
      const dataDir = mkdtempSync(join(tmpdir(), 'tokenwright-test-'))
      const place: Place = {
        dataDir,
        location: `${server.url}/postgres`,
        remove: async () => rmSync(dataDir, { recursive: true }),
      }
      instance = await openInstance(database('postgres'), place)
      secret = (await makeToken(instance)).secret
      expect((await asked(instance, secret)).answer).toBe('valid')
    })
    afterEach(async () => {
      await instance.app.close().catch(() => undefined)
      await server.stop()
      await instance.place.remove()
    })

    it('R18: a stopped server is unavailable within 2 s, never a verdict, and the process lives on', async () => {
      await server.stop()
      await refusedAsUnavailable(instance, secret)
      expect(await refusal(instance.call('operator', create_token, { name: 'x' }))).toBe('unavailable')
      expect(
        await refusal(instance.actor(secret).then(() => undefined)).catch((error) => error.code),
      ).not.toBe('unauthenticated')
    })

    it('R18: a server that accepts and never answers is unavailable within 2 s', async () => {
      const frozen = await server.freeze()
      try {
        for (let round = 0; round < 2; round++) {
          const { answer, ms } = await asked(instance, secret)
          expect(answer).toBe('unavailable')
          expect(ms).toBeLessThan(2_000)
        }
      } finally {
        frozen.thaw()
      }
      await expect.poll(async () => (await asked(instance, secret)).answer, { timeout: 5_000 }).toBe('valid')
    })
  })
})
