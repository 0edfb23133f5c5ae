import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  digest,
  lastFour,
  makeSecret,
  prefixPattern,
  redacted,
  secretPattern,
  shownPrefix,
  wellFormed,
} from '../../src/domain/secret.ts'

const symbols = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const example = 'mcpt_ExampleSecretDoNotUse00000000000000013drjit'

describe('R1: makeSecret', () => {
  const secrets = Array.from({ length: 20_000 }, () => makeSecret('mcpt'))

  it('R1: 20,000 secrets have no duplicate and are all well formed, 48 characters each', () => {
    expect(new Set(secrets).size).toBe(20_000)
    expect(secrets.every((secret) => secret.length === 48 && wellFormed(secret))).toBe(true)
  })

  it('R1: 20,000 secrets use all 62 symbols evenly in each of the 37 positions', () => {
    const misses = Array.from({ length: 37 }, (_, position) => {
      const counts = countSymbols(secrets.map((secret) => secret.charAt(5 + position)))
      return { position, unused: counts.filter((count) => count === 0).length, p: chiSquareP(counts) }
    }).filter(({ unused, p }) => unused > 0 || p <= 0.00001)
    expect(misses).toEqual([])
  })

  it('the evenness test itself sees the bias of a byte modulo 62', () => {
    const biased = Array.from(randomBytes(20_000), (byte) => symbols.charAt(byte % 62))
    expect(chiSquareP(countSymbols(biased))).toBeLessThan(0.00001)
    expect(chiSquareP(Array<number>(62).fill(322))).toBeCloseTo(1)
  })

  it('R1: 1,000 of 1,000 secrets with one character changed are refused', () => {
    const changed = secrets.slice(0, 1000).map((secret) => {
      const at = randomInt(secret.length)
      const others = [...symbols, '_'].filter((symbol) => symbol !== secret.charAt(at))
      return secret.slice(0, at) + others[randomInt(others.length)] + secret.slice(at + 1)
    })
    expect(changed.filter(wellFormed)).toEqual([])
  })

  it('R1: the last six characters are the CRC-32 of everything before them', () => {
    const secret = makeSecret('mcpm')
    const value = [...secret.slice(-6)].reduce((sum, symbol) => sum * 62 + symbols.indexOf(symbol), 0)
    expect(value).toBe(crc32(secret.slice(0, -6)))
  })

  it.each(['ab', 'abcdefgh', '0123', 'mcpm', 'lnk'])(
    'R1: makes well-formed secrets with the prefix %s',
    (prefix) => {
      const secret = makeSecret(prefix)
      expect(secret.startsWith(`${prefix}_`)).toBe(true)
      expect(wellFormed(secret)).toBe(true)
    },
  )

  it.each(['', 'a', 'abcdefghi', 'Mcpt', 'mc_t', 'mc-t', 'mcpt\n', 'ämcp'])(
    'R1: refuses the prefix %j',
    (prefix) => {
      expect(() => makeSecret(prefix)).toThrow(RangeError)
      expect(prefixPattern.test(prefix)).toBe(false)
    },
  )
})

describe('R1: wellFormed', () => {
  it('R1: accepts the published example', () => {
    expect(wellFormed(example)).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['a blank before', ` ${example}`],
    ['a line break behind', `${example}\n`],
    ['a character too few', example.slice(0, -1)],
    ['a character too many', `${example}0`],
    ['another prefix with the same checksum', example.replace('mcpt', 'mcpm')],
    ['an upper-case prefix', example.replace('mcpt', 'MCPT')],
    ['no prefix', example.slice(4)],
    ['two characters swapped', example.replace('Ex', 'xE')],
    ['a full-width digit', example.replace('0', '\uff10')],
    ['a megabyte', 'a'.repeat(1_000_000)],
  ])('R1: refuses %s', (_, secret) => {
    expect(wellFormed(secret)).toBe(false)
  })
})

describe('what may be shown of a secret', () => {
  it('R5: is its first twelve and its last four characters', () => {
    expect(shownPrefix(example)).toBe('mcpt_Example')
    expect(lastFour(example)).toBe('rjit')
    expect(redacted(shownPrefix(example), lastFour(example))).toBe('mcpt_Example…rjit')
  })
})

describe('R53: secretPattern', () => {
  const redact = (text: string) => text.replace(secretPattern, '[secret]')

  it.each([
    ['alone', example, '[secret]'],
    ['in a header', `Bearer ${example}`, 'Bearer [secret]'],
    ['in JSON', `{"secret":"${example}"}`, '{"secret":"[secret]"}'],
    ['in a URL', `/x?t=${example}&u=1`, '/x?t=[secret]&u=1'],
    ['twice', `${example},${example}`, '[secret],[secret]'],
    ['before an underscore', `${example}_old`, '[secret]_old'],
  ])('R53: finds a secret %s', (_, text, redactedText) => {
    expect(redact(text)).toBe(redactedText)
  })

  it.each([
    `%3D${example}%22`,
    `MCP_TOKEN_${example}`,
    `X${example}`,
    `a\\n${example}\\n`,
    `token${example}`,
    `${example}x`,
    example.slice(0, -1),
    example.slice(0, -6),
    example.slice(0, -12),
  ])('R53: leaves no slice of a secret in %s', (text) => {
    expect(redact(text)).not.toContain('ExampleSecret')
  })

  it.each([
    ['a SHA-256 in hex', `sha_${'a1'.repeat(32)}`],
    ['an id', 'mgtk_0mwrz4t4bIl4gYSrqYqiF3'],
    ['a shown prefix', 'mcpt_Example…rjit'],
  ])('leaves %s alone', (_, text) => {
    expect(redact(text)).toBe(text)
  })
})

describe('R2: digest', () => {
  it('R2: is the 32 bytes of HMAC-SHA-256 of the exact string under the pepper', () => {
    const pepper = Buffer.alloc(32, 7)
    expect(digest(pepper, example)).toEqual(createHmac('sha256', pepper).update(example, 'utf8').digest())
    expect(digest(pepper, example)).toHaveLength(32)
    expect(digest(pepper, example)).not.toEqual(digest(Buffer.alloc(32, 8), example))
    expect(digest(pepper, example)).not.toEqual(digest(pepper, `${example} `))
  })

  it('R2: agrees with RFC 4231, test case 2', () => {
    expect(digest(Buffer.from('Jefe'), 'what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
  })
})

function countSymbols(drawn: string[]): number[] {
  const counts = new Map<string, number>()
  for (const symbol of drawn) counts.set(symbol, (counts.get(symbol) ?? 0) + 1)
  return [...symbols].map((symbol) => counts.get(symbol) ?? 0)
}

// Upper tail of chi-square by the Wilson-Hilferty approximation, good to a few per cent at 61 degrees of freedom.
function chiSquareP(counts: number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  const spread = 2 / (9 * (counts.length - 1))
  const z = (Math.cbrt(chi / (counts.length - 1)) - (1 - spread)) / Math.sqrt(spread)
  return 0.5 * erfc(z / Math.SQRT2)
}

// Numerical Recipes in C, section 6.2: relative error below 1.2e-7 everywhere.
function erfc(x: number): number {
  const t = 1 / (1 + Math.abs(x) / 2)
  const series = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277,
  ].reduceRight((sum, coefficient) => sum * t + coefficient, 0)
  const tail = t * Math.exp(-x * x + series)
  return x >= 0 ? tail : 2 - tail
}
