import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { seal, unseal } from '../../src/domain/seal.ts'

const key = randomBytes(32)

describe('R37: seal and unseal', () => {
  it.each(['', 'x', 'mcpt_ExampleSecretDoNotUse00000000000000013drjit', 'Grüße 🌍\0', 'y'.repeat(100_000)])(
    'R37: gives back what was sealed (%#)',
    (text) => {
      const sealed = seal(key, text, 'lnk_1')
      expect(sealed.length).toBe(12 + Buffer.byteLength(text) + 16)
      expect(unseal(key, sealed, 'lnk_1')).toBe(text)
    },
  )

  it('R37: opens for no other key and no other row', () => {
    const sealed = seal(key, 'secret', 'mgsr_1')
    expect(unseal(randomBytes(32), sealed, 'mgsr_1')).toBeUndefined()
    expect(unseal(key, sealed, 'mgsr_2')).toBeUndefined()
    expect(unseal(key, sealed, '')).toBeUndefined()
  })

  it('R37: does not open when any single bit is changed', () => {
    const sealed = seal(key, 'secret', 'row')
    const opened = Array.from({ length: sealed.length * 8 }, (_, bit) => {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7))
      return unseal(key, changed, 'row')
    })
    expect(opened.filter((text) => text !== undefined)).toEqual([])
  })

  it('R37: does not open when cut at any length or extended', () => {
    const sealed = seal(key, 'secret', 'row')
    const cut = Array.from({ length: sealed.length }, (_, length) =>
      unseal(key, sealed.subarray(0, length), 'row'),
    )
    expect(cut.filter((text) => text !== undefined)).toEqual([])
    expect(unseal(key, Buffer.concat([sealed, Buffer.alloc(1)]), 'row')).toBeUndefined()
  })

  it('never seals the same text to the same bytes', () => {
    const nonces = Array.from({ length: 1000 }, () =>
      seal(key, 'secret', 'row').subarray(0, 12).toString('hex'),
    )
    expect(new Set(nonces).size).toBe(1000)
  })
})
