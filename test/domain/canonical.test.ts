import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../src/domain/canonical.ts'

describe('canonicalJson', () => {
  it('is the same for the same members in any order', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value))
      }),
    )
  })

  it('parses back to the value it was made of', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it.each([
    [{ b: 1, a: { d: [2, { z: 1, y: 2 }], c: null } }, '{"a":{"c":null,"d":[2,{"y":2,"z":1}]},"b":1}'],
    [{ 10: 'x', 9: 'y', a: 1, B: 2 }, '{"10":"x","9":"y","B":2,"a":1}'],
    [{ '\u{1F30D}': 1, '\uFF5E': 2 }, '{"\u{1F30D}":1,"\uFF5E":2}'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    ['a"\n', '"a\\"\\n"'],
    [Object.create(null), '{}'],
    [-0, '0'],
  ])('writes %j as %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text)
  })

  it('keeps __proto__ and constructor as plain members, so that two bodies differing there differ', () => {
    const text = '{"__proto__":{"admin":true},"constructor":1}'
    expect(canonicalJson(JSON.parse(text))).toBe(text)
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).not.toBe(canonicalJson({}))
  })

  it.each([
    ['a date', new Date(0)],
    ['a map', { a: new Map() }],
    ['bytes', Buffer.from('x')],
    ['a function', () => 1],
    ['a bigint', [1n]],
    ['undefined', undefined],
    ['undefined in a list', [undefined]],
  ])('refuses %s, which would hash like something else', (_, value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError)
  })
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).reverse()
  return Object.fromEntries(members.map(([key, member]) => [key, reversed(member)]))
}
