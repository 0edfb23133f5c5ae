import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type IdKind, idPrefixes, isId, looksLikeId, makeId } from '../../src/domain/id.ts'

const kinds = Object.keys(idPrefixes) as IdKind[]
const now = Date.UTC(2026, 0, 10, 8)

describe('makeId', () => {
  it.each(kinds)('makes ids of kind %s that are of that kind and of no other', (kind) => {
    const id = makeId(kind, now, 1, 0)
    expect(kinds.filter((other) => isId(other, id))).toEqual([kind])
    expect(looksLikeId(id)).toBe(true)
  })

  it('has a prefix of its own for each kind', () => {
    expect(new Set(Object.values(idPrefixes)).size).toBe(kinds.length)
  })

  it('orders ids as bytes by time, then by sequence, then by place in the change', () => {
    const part = fc.record({
      at: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      seq: fc.integer({ min: 0, max: 2 ** 40 - 1 }),
      n: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
    })
    fc.assert(
      fc.property(part, part, fc.boolean(), fc.boolean(), (a, other, sameAt, sameSeq) => {
        const b = { ...other, at: sameAt ? a.at : other.at, seq: sameSeq ? a.seq : other.seq }
        const order = a.at - b.at || a.seq - b.seq || a.n - b.n
        const left = Buffer.from(makeId('event', a.at, a.seq, a.n))
        const right = Buffer.from(makeId('event', b.at, b.seq, b.n))
        if (order !== 0) expect(Buffer.compare(left, right)).toBe(Math.sign(order))
      }),
      { numRuns: 1000 },
    )
  })

  it('differs at the same place in the same change, as two stores may share a counter', () => {
    expect(makeId('token', now, 1, 0)).not.toBe(makeId('token', now, 1, 0))
  })

  it('fits the largest parts and refuses anything beyond them instead of breaking the order', () => {
    expect(makeId('user', 2 ** 48 - 1, 2 ** 40 - 1, 2 ** 16 - 1)).toMatch(/^usr_7n42DGM5Tf[0-9A-Za-z]{12}$/)
    const beyond: [number, number, number][] = [
      [2 ** 48, 0, 0],
      [0, 2 ** 40, 0],
      [0, 0, 2 ** 16],
      [-1, 0, 0],
      [0, -1, 0],
      [0, 0, -1],
      [0.5, 0, 0],
      [Number.NaN, 0, 0],
    ]
    for (const [at, seq, n] of beyond) expect(() => makeId('user', at, seq, n)).toThrow(RangeError)
  })
})

describe('R20: looksLikeId and isId', () => {
  it.each(['mgtk_0mwrz4t4bIl4gYSrqYqiF3', 'cfg_0mwrz4t4bIl4gYSrqYqiG0', 'proj_0mwrz4t4bIl4gYSrqYqiF6'])(
    'R20: takes the published example %s for an id',
    (id) => {
      expect(looksLikeId(id)).toBe(true)
    },
  )

  it.each([
    '',
    'mgtk',
    'mgtk_',
    'mgtk_0mwrz4t4bIl4gYSrqYqiF',
    'mgtk_0mwrz4t4bIl4gYSrqYqiF34',
    'MGTK_0mwrz4t4bIl4gYSrqYqiF3',
    'mgtx_0mwrz4t4bIl4gYSrqYqiF3',
    'mgtk-0mwrz4t4bIl4gYSrqYqiF3',
    'mgtk_0mwrz4t4bIl4gYSrqYqi_3',
    'mgtk_0mwrz4t4bIl4gYSrqYqiF3\n',
    ' mgtk_0mwrz4t4bIl4gYSrqYqiF3',
    '__proto__',
  ])('R20: takes %j for no id of any kind', (text) => {
    expect(looksLikeId(text)).toBe(false)
    expect(kinds.some((kind) => isId(kind, text))).toBe(false)
  })
})
