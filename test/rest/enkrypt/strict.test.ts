import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enkrypt } from '../../../src/rest/enkrypt/dialect.ts'
import type { Answer } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { openWorld, type World } from './support.ts'
import { bodyOf, filled, type Ids, none, type Row, table } from './table.ts'

/** JSON texts that are wrong for nearly every field. */
const oddities = [
  'null',
  '""',
  '" "',
  'true',
  '0',
  '-1',
  '1.5',
  '9007199254740992',
  '1e400',
  '[]',
  '{}',
  '[null]',
  '{"__proto__":{"admin":true}}',
  '{"constructor":1}',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"\\u202eevil"',
  '"0001-01-01T00:00:00Z"',
  '"../../etc/passwd"',
  `"${'x'.repeat(10_000)}"`,
  `["${'x'.repeat(10_000)}"]`,
  '["\\ud800"]',
  '{"A":"\\u0000"}',
  '{"\\u0000":"x"}',
]

/** What stands in a path where an identifier belongs, as it is sent. */
const identifiers = [
  '%00',
  'a%00b',
  '%ff',
  '%ed%a0%80',
  '%e2%80%aeevil',
  '%',
  '%zz',
  '%27%20or%201=1%20--',
  '%22',
  '%5c',
  '%25',
  '%0a',
  '%2e%2e%2f',
  '-1',
  '1e400',
  'null',
  'undefined',
  '__proto__',
  'constructor',
  '%F0%9F%A7%AA',
  'x'.repeat(201),
  'x'.repeat(255),
  `${'x'.repeat(250)}@example.com`,
  'a@b',
  'mcpt_',
  'x'.repeat(2_000),
]

const internals = /\bat \S+ \(|node_modules|SQLITE|\bselect\b .* from|\/(src|tools|db|tmp|home)\//i

describe('odd input to every route of Enkrypt', () => {
  const worlds: { world: World; ids: Ids }[] = []
  beforeAll(async () => {
    for (const database of databases) {
      const world = await openWorld(database)
      const { config_id: c, project_id: p, user_id: u, key } = await world.project()
      const { server_id: s } = await world.server(c)
      worlds.push({ world, ids: { c, p, u, s, k: key.api_key_id } })
    }
  })
  afterAll(async () => {
    for (const { world } of worlds) await world.close()
  })

  /** Both stores must answer the same but for ids, times and secrets. */
  async function both(send: (world: World, ids: Ids) => Promise<Answer>, what: unknown): Promise<number> {
    const [sqlite, postgres] = await Promise.all(worlds.map(({ world, ids }) => send(world, ids)))
    const told = JSON.stringify([what, sqlite?.status, sqlite?.text, postgres?.text]).slice(0, 2_000)
    expect(sqlite?.status, told).toBeLessThan(500)
    expect(postgres?.status, told).toBe(sqlite?.status)
    if (sqlite !== undefined && sqlite.status >= 400) {
      expect(Object.keys(sqlite.json), told).toEqual(['error', 'detail', 'timestamp'])
      expect(postgres?.json.detail, told).toBe(sqlite.json.detail)
      expect(sqlite.json.detail.length, told).toBeLessThan(1_200)
      expect(sqlite.text, told).not.toMatch(internals)
      for (const { world } of worlds) expect(sqlite.text).not.toContain(world.keys.admin)
    }
    return sqlite?.status ?? 0
  }

  const fieldsOf = ({ line }: Row): string[] => {
    const [method, path] = line.split(' ')
    const route = enkrypt.routes.find(
      (one) =>
        one.method === method && one.path.replace(/:\w+/g, '*') === `/api/v1${path?.replace(/\{\w\}/g, '*')}`,
    )
    return Object.keys(route?.body?.shape ?? {})
  }

  const withFields = table.filter((row) => fieldsOf(row).length > 0)

  it.each(withFields)(
    'R20, R32: $line answers odd fields with 4xx at most, alike on both stores',
    async (row) => {
      for (const field of fieldsOf(row)) {
        for (const odd of oddities) {
          // A reset that is meant is told by the boolean alone.
          if (row.line.endsWith('/reset') && odd === 'true') continue
          await both(
            (world, ids) => {
              const { [field]: _, ...others } = { ...bodyOf(row, ids) } as Record<string, unknown>
              const rest = JSON.stringify(others).slice(1, -1)
              const body = `{${rest === '' ? '' : `${rest},`}${JSON.stringify(field)}:${odd}}`
              return world.admin(filled(row.line, ids), body)
            },
            [row.line, field, odd],
          )
        }
      }
    },
  )

  it.each(table.filter(({ line }) => line.includes('{')))(
    'R20, R32: $line does not find odd identifiers, alike on both stores',
    async (row) => {
      for (const name of row.line.match(/\{\w\}/g) ?? []) {
        const kind = name[1] as keyof Ids
        const others = Object.values(none).filter((id) => id !== none[kind])
        for (const odd of [...identifiers, ...others]) {
          const status = await both(
            (world, ids) => world.admin(filled(row.line, { ...ids, [kind]: odd }), bodyOf(row, ids)),
            [row.line, odd],
          )
          expect([row.line, odd, status]).toEqual([row.line, odd, 404])
        }
      }
    },
  )
})
