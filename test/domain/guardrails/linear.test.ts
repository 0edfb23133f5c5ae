import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockNames } from '../../../src/domain/guardrail-policy.ts'
import { newRedactions, restore } from '../../../src/domain/guardrails/redactions.ts'
import { screen } from '../../../src/domain/guardrails/screen.ts'
import { compiled } from './found.ts'

const lists = {
  keywords: ['bluebird', `${'a'.repeat(199)}b`],
  patterns: ['(a+)+$b', '(?:a?){30}a{30}z', '\\b\\d{3}-\\d{4}\\b', '(x|a)*y', '.*=.*=.*;'],
}
const mebibyte = 1_048_576
const policies = {
  checks: compiled([...blockNames], { ...lists, max_bytes: 1_000_000_000 }),
  redaction: compiled([], { pii_redaction: true }),
}
const each = Object.entries(policies)

/** Each is the beginning of something that some detector looks for, so that it starts at every place and never ends. */
const hostile = [
  '1 ',
  '1-',
  '12',
  '123-',
  '+1',
  '0 ',
  '00 1',
  'a@',
  '@',
  'a.b@c.',
  'a@b.co ',
  'aaaa',
  'a-',
  '((((',
  'ES ES',
  'ES12',
  '12345678Z',
  '123456789 ',
  '4111111111111111 ',
  'phone: 1 ',
  'ssn ',
  'eyJ',
  'eyJa.',
  '_',
  'sk-',
  'AKIA',
  '://a:',
  '-----BEGIN PRIVATE KEY-----',
  'pass id_rsa ',
  'ignore previous ',
  'do not tell ',
  'what is ',
  '<important>',
  '<!--',
  '[',
  'aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8g ',
  // Normalising these takes quadratic time, or makes 18 characters of one.
  '\u0301\u0316',
  '\ufdfa',
  '\u200b',
  '\ud800',
  `${'x'.repeat(43)}_`,
]

/** Time of the processor, as other tests share it. */
function millisecondsOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  return process.cpuUsage(before).user / 1_000
}

describe('time', () => {
  it.each(hostile)('a mebibyte of %j is screened in less than a second', (unit) => {
    const text = unit.repeat(mebibyte / Buffer.byteLength(unit))
    for (const [name, policy] of each) {
      const work = () => screen(policy, { text })
      const first = millisecondsOf(work)
      const time = first < 1_000 ? first : millisecondsOf(work)
      expect([name, time < 1_000 ? 'fast' : `${time} ms`]).toEqual([name, 'fast'])
    }
  })

  it('a hundred thousand texts, names or levels take less than a second each', () => {
    const count = 100_000
    const texts = Array.from({ length: count }, (_, at) => `text ${at}`)
    const names = Object.fromEntries(texts.map((text) => [text, 1]))
    let levels: unknown = 'x'
    for (let level = 0; level < count; level++) levels = { name: levels }
    for (const [name, policy] of each)
      for (const value of [texts, names, levels]) {
        const time = millisecondsOf(() => screen(policy, value))
        expect([name, time < 1_000 ? 'fast' : `${time} ms`]).toEqual([name, 'fast'])
      }
  })

  it('eight times as much of anything never takes more than thirty times as long', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }), (unit) => {
        const timeOf = (length: number) => {
          const text = unit.repeat(Math.ceil(length / unit.length))
          return Math.min(...[0, 1, 2].map(() => millisecondsOf(() => screen(policies.checks, text))))
        }
        expect(timeOf(160_000)).toBeLessThan(30 * Math.max(timeOf(20_000), 1))
      }),
      { numRuns: 10 },
    )
  })
})

describe('any JSON value', () => {
  const value = fc.jsonValue({ stringUnit: 'binary', maxDepth: 6 })
  const telling = fc.array(
    fc.oneof(fc.constantFrom(...hostile, 'a@b.co', '<EMAIL_1>', '+34 612 345 678'), fc.string()),
  )

  it('is screened without a fault, and changed by redaction alone', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          value,
          telling.map((parts) => ({ text: parts.join('') })),
        ),
        (any) => {
          const before = JSON.stringify(any)
          for (const [name, policy] of each) {
            const { value: after } = screen(policy, any)
            if (name !== 'redaction') expect(after).toBe(any)
          }
          expect(JSON.stringify(any)).toBe(before)
        },
      ),
    )
  })

  it('of texts is the same again once it was redacted and restored, and holds nothing personal in between', () => {
    const texts = telling.map((parts) => parts.join(' '))
    fc.assert(
      fc.property(fc.array(fc.oneof(texts, fc.dictionary(texts, texts))), (any) => {
        const memory = newRedactions()
        const { value: sent } = screen(policies.redaction, any, memory)
        expect(screen(compiled(['pii']), sent).findings).toEqual([])
        expect(restore(sent, memory)).toEqual(any)
      }),
      { examples: [[[{ '+34 612 345 678': '123456789 ' }]]] },
    )
  })
})
