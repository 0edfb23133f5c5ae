import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { operations } from '../../tools/index.ts'
import { databases } from '../support/databases.ts'
import { membersOf, sampleInput } from './sample.ts'
import { openServing, type Running } from './serving.ts'

const offered = operations.filter(({ faces }) => faces === undefined || faces.includes('rest'))

/** JSON texts that are wrong for nearly every member. */
const oddities = [
  'null',
  '""',
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
  '"\\ufeff"',
  '"0001-01-01T00:00:00Z"',
  '"9999-12-31T23:59:59Z"',
  `"${'x'.repeat(10_000)}"`,
  `["${'x'.repeat(10_000)}"]`,
]

/** Bodies that are wrong as a whole. */
const bodies = [
  '[]',
  '1',
  '"text"',
  'true',
  '{',
  '{"a":1',
  '{"a":1}}',
  '\ufeff{}',
  '{"__proto__":{"name":"x"}}',
  '{"constructor":{"prototype":{}}}',
  '{"toString":1,"hasOwnProperty":2}',
  '{"":1}',
  `{"${'x'.repeat(10_000)}":1}`,
]

describe('odd input to every operation', () => {
  const running: Running[] = []
  beforeAll(async () => {
    for (const one of databases) running.push(await openServing(one))
  })
  afterAll(async () => {
    for (const one of running) await one.close()
  })

  async function post(one: Running, name: string, body: string | Buffer) {
    const headers = { authorization: `Bearer ${one.adminKey}`, 'content-type': 'application/json' }
    return one.send(`/v1/${name}`, { method: 'POST', headers, body })
  }

  /** Both stores must answer the same but for ids, times and secrets. */
  async function both(name: string, body: string | Buffer): Promise<number> {
    const [sqlite, postgres] = await Promise.all(running.map((one) => post(one, name, body)))
    const told = JSON.stringify([name, String(body).slice(0, 200), sqlite?.status, sqlite?.text])
    expect(sqlite?.status, told).toBeLessThan(500)
    expect(postgres?.status, told).toBe(sqlite?.status)
    expect(postgres?.json.error, told).toBe(sqlite?.json.error)
    if (sqlite !== undefined && sqlite.status >= 400) {
      expect(postgres?.json.detail).toBe(sqlite.json.detail)
      expect(sqlite.text).not.toMatch(
        /\bat \S+ \(|node_modules|SQLITE|\bselect\b .* from|\/(src|tools|db|tmp|home)\//i,
      )
      expect(sqlite.text).not.toContain(running[0]?.adminKey)
    }
    return sqlite?.status ?? 0
  }

  it.each(offered)(
    'R20, R32: $name answers each with 4xx at most, alike on both stores',
    async (operation) => {
      for (const member of membersOf(operation)) {
        const whole = sampleInput(operation)
        delete whole[member]
        const rest = JSON.stringify(whole).slice(1, -1)
        for (const odd of oddities) {
          await both(operation.name, `{${rest === '' ? '' : `${rest},`}${JSON.stringify(member)}:${odd}}`)
        }
        const twice = `{${rest === '' ? '' : `${rest},`}${JSON.stringify(member)}:[],${JSON.stringify(member)}:{"a":1}}`
        await both(operation.name, twice)
      }
      for (const body of bodies) expect(await both(operation.name, body)).toBeGreaterThanOrEqual(400)
      const notUtf8 = Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d])
      expect(await both(operation.name, notUtf8)).toBe(400)
    },
  )
})
