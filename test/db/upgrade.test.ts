import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import * as audit from '../../db/audit.ts'
import { schemaVersion } from '../../db/migrate.ts'
import { appendOnly, foundation } from '../../db/migrations/0001-foundation.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { databases, type Place } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { makeOldStore, type OldStore, rawStore } from '../support/old-store.ts'
import { startChild } from '../support/processes.ts'

it('R55: the statements of the first version are as they were shipped: stores were made with them', () => {
  const names = { text: 'text', int: 'int', blob: 'blob', strict: 'strict' }
  const text = JSON.stringify([foundation(names), appendOnly])
  expect(createHash('sha256').update(text).digest('hex')).toBe(
    'c7858fca207fd195bf412aa9cb5c496c72d5594fece4e4aa10160a9dbbf47dd9',
  )
})

/** The version a store says it has, and which parts of the later schema are there. */
async function found(place: Place) {
  const { db } = rawStore(place)
  try {
    const { schema_version } = await db
      .selectFrom('audit_head')
      .select('schema_version')
      .executeTakeFirstOrThrow()
    const tables = await db.introspection.getTables()
    const columnsOf = (table: string) =>
      tables.find(({ name }) => name === table)?.columns.map(({ name }) => name) ?? []
    const columns = columnsOf('tokens')
    const later = [
      ...['limit_requests', 'limit_seconds', 'max_uses', 'leaked_at'].map((name) => columns.includes(name)),
      columnsOf('projects').includes('policy'),
      columnsOf('links').includes('asked_by'),
      ...['token_limits', 'token_uses'].map((name) => tables.some((table) => table.name === name)),
    ]
    return { schema_version, later: [...new Set(later)] }
  } finally {
    await db.destroy()
  }
}

const before = { schema_version: 1, later: [false] }
const after = { schema_version: schemaVersion, later: [true] }

/** Everything of the old store is there and good, and the new is in force. */
async function proveWhole({ core, call }: Instance, old: OldStore): Promise<void> {
  const verdict = async (secret: string) =>
    (await core.verifier.verify(secret, {}, { management: true })).verdict
  expect(await Promise.all([old.live, old.predecessor, old.revoked, old.admin].map(verdict))).toEqual([
    'valid',
    'valid',
    'revoked',
    'valid',
  ])
  await core.uses.flush()
  expect((await call('reader', get_token, { token_id: old.id })).token).toMatchObject({
    generation: 3,
    use_count: 43,
    access: { limits: null },
    usage: null,
    generations: [
      { generation: 3, use_count: 1 },
      { generation: 2, use_count: 1 },
    ],
  })
  await call('operator', update_token, { token_id: old.id, access: { limits: { max_uses: 1 } } })
  const use = async () => (await core.verifier.verify(old.live, {}, { count: true })).verdict
  expect([await use(), await use()]).toEqual(['valid', 'limit_reached'])
  const chain = await audit.verifyChain(core.store.read, core.keys.audit)
  expect([chain.rows, chain.first_bad_seq]).toEqual([3, null])
  expect(
    await core.store.read.selectFrom('tokens').select('id').where('kind', '=', 'management').execute(),
  ).toHaveLength(1)
}

describe.each(databases)('a store of the first version on $name', (kind) => {
  const places: Place[] = []
  afterEach(async () => {
    for (const place of places.splice(0)) await place.remove()
  })
  const oldStore = async () => {
    const place = await kind.fresh()
    places.push(place)
    return { place, old: await makeOldStore(place) }
  }
  const proveStart = async (place: Place, old: OldStore) => {
    const instance = await openInstance(kind, place)
    await proveWhole(instance, old)
    await instance.close()
    expect(await found(place)).toEqual(after)
  }

  it('R55: 8 processes starting at once all start, and bring it up to date once, with everything that was in it', async () => {
    for (let round = 0; round < 2; round++) {
      const { place, old } = await oldStore()
      expect(await found(place)).toEqual(before)
      const children = Array.from({ length: 8 }, () => startChild({ work: 'open', ...place }))
      const codes = await Promise.all(children.map((child) => child.ended))
      expect(codes).toEqual(Array(8).fill(0))
      await proveStart(place, old)
    }
  }, 90_000)

  it('R55: a start that is killed, at whichever statement, leaves the old version or the new one whole, and the next start works', async () => {
    const seen: number[] = []
    // Until four in a row died behind it, or were through.
    for (let nth = 1; !seen.slice(-4).every((version) => version === schemaVersion) || nth === 1; nth += 4) {
      const four = await Promise.all([0, 1, 2, 3].map(oldStore))
      await Promise.all(
        four.map(async ({ place, old }, at) => {
          const end = await startChild({ work: 'open', ...place, dieAt: nth + at }).ended
          expect(['SIGKILL', 0]).toContain(end)
          const left = await found(place)
          seen[nth + at - 1] = left.schema_version
          expect(left).toEqual(left.schema_version === 1 ? before : after)
          await proveStart(place, old)
        }),
      )
    }
    // Some of these died between two statements of the migration, which has eight of its own.
    expect(seen.filter((version) => version === 1).length).toBeGreaterThan(10)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  }, 180_000)

  it('R55: a build that knows all but the latest version refuses it once it is up to date, and changes nothing', async () => {
    const { place, old } = await oldStore()
    const instance = await openInstance(kind, place)
    const child = startChild({ work: 'open', ...place }, 'older')
    expect(await child.ended).toBe(1)
    expect(child.errors()).toContain(
      `schema version ${schemaVersion}; this program knows ${schemaVersion - 1}`,
    )
    expect(await found(place)).toEqual(after)
    await proveWhole(instance, old)
    await instance.close()
  }, 30_000)
})
