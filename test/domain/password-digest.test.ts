import { verify } from 'argon2'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { affordableDigest } from '../../src/domain/password-digest.ts'

const digest = (params: string, salt = 'A'.repeat(22), hash = 'A'.repeat(43)) =>
  `$argon2id$v=19$${params}$${salt}$${hash}`

describe('a stored password digest', () => {
  it.each([
    digest('m=19456,t=2,p=1'),
    digest('m=19456,p=1,t=2'),
    digest('m=131072,t=10,p=4'),
    digest('m=8,t=1,p=1'),
  ])('R6: %s may be checked', (text) => {
    expect(affordableDigest(text)).toBe(true)
  })

  it.each([
    '',
    'x',
    '$argon2id$',
    digest('m=131073,t=2,p=1'),
    digest('m=1048576,t=8,p=1'),
    digest('m=19456,t=11,p=1'),
    digest('m=19456,t=2,p=5'),
    digest('m=19456,t=0,p=1'),
    digest('m=19456,t=2,p=0'),
    digest('m=31,t=1,p=4'),
    digest('m=19456,t=2'),
    digest('m=19456,m=8,t=2'),
    digest('m=19456,t=2,p=1,data=AAAA'),
    digest('m=1e9,t=2,p=1'),
    digest('m=-1,t=2,p=1'),
    digest('m=19456,t=2,p=1', 'AAAA'),
    digest('m=19456,t=2,p=1', 'A'.repeat(22), 'AAAA'),
    digest('m=19456,t=2,p=1', 'A'.repeat(22), 'A'.repeat(1_000_000)),
    digest('m=19456,t=2,p=1').replace('v=19', 'v=16'),
    digest('m=19456,t=2,p=1').replace('argon2id', 'argon2d'),
    `${digest('m=19456,t=2,p=1')}\n`,
    `$2b$10$${'a'.repeat(53)}`,
  ])('R6: %s is no digest', (text) => {
    expect(affordableDigest(text)).toBe(false)
  })

  it('R6: whatever may be checked is checked without an exception', async () => {
    const text = (min: number, max: number) =>
      fc.string({
        unit: fc.constantFrom(...'AZaz09+/'),
        minLength: min,
        maxLength: max,
      })
    const number = fc.integer({ min: 0, max: 40 })
    const any = fc.tuple(number, number, fc.integer({ min: 0, max: 5 }), text(9, 90), text(20, 90))
    let checked = 0
    await fc.assert(
      fc.asyncProperty(any, async ([m, t, p, salt, hash]) => {
        const one = digest(`m=${m},t=${t},p=${p}`, salt, hash)
        if (!affordableDigest(one)) return
        checked += 1
        expect(await verify(one, 'password')).toBe(false)
      }),
      { numRuns: 2_000 },
    )
    expect(checked).toBeGreaterThan(50)
  })
})
