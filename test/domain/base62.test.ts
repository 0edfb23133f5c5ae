import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeBase62 } from '../../src/domain/base62.ts'

describe('base62', () => {
  it.each([
    [0n, 1, '0'],
    [9n, 1, '9'],
    [10n, 1, 'A'],
    [35n, 1, 'Z'],
    [36n, 1, 'a'],
    [61n, 1, 'z'],
    [62n, 2, '10'],
    [62n, 6, '000010'],
    [0xffffffffn, 6, '4gfFC3'],
    [2n ** 128n - 1n, 22, '7n42DGM5Tflk9n8mt7Fhc7'],
    [0n, 0, ''],
  ])('writes %s in %i digits as %s', (value, width, text) => {
    expect(encodeBase62(value, width)).toBe(text)
  })

  it('keeps the order of numbers as the order of texts of one width', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(encodeBase62(a, 22) < encodeBase62(b, 22)).toBe(a < b)
      }),
    )
  })

  it.each([
    [-1n, 4],
    [62n, 1],
    [62n ** 6n, 6],
  ])('refuses %s in %i digits instead of cutting it', (value, width) => {
    expect(() => encodeBase62(value, width)).toThrow(RangeError)
  })
})
