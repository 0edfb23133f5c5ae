import { describe, expect, it } from 'vitest'
import { apartFrom, newRedactions, restore } from '../../../src/domain/guardrails/redactions.ts'
import { screen } from '../../../src/domain/guardrails/screen.ts'
import { compiled } from './found.ts'

const jane = 'jane@example.com'
const john = 'john@example.org'
const policy = compiled([], { pii_redaction: true, pii_restore: true })

describe('redaction', () => {
  it('replaces personal data in all texts and names, the same text by the same placeholder', () => {
    const memory = newRedactions()
    const value = {
      to: [jane, john],
      body: `From ${jane}, +34 612 345 678`,
      deep: { list: [{ [john]: 4111111111111111, kept: [1, null, true, 1.5, 'x'] }] },
    }
    const before = structuredClone(value)
    expect(screen(policy, value, memory).value).toEqual({
      to: ['<EMAIL_1>', '<EMAIL_2>'],
      body: 'From <EMAIL_1>, <PHONE_1>',
      deep: { list: [{ '<EMAIL_2>': '<CARD_1>', kept: [1, null, true, 1.5, 'x'] }] },
    })
    expect(value).toEqual(before)
    expect(screen(policy, { again: john }, memory).value).toEqual({ again: '<EMAIL_2>' })
  })

  it('gives back the very value where nothing is personal', () => {
    const value = { a: ['x', { b: 'y' }], n: 1 }
    expect(screen(policy, value).value).toBe(value)
  })

  it('keeps the order of members and a member that is called __proto__', () => {
    const value = JSON.parse(`{"z":"${jane}","__proto__":{"a":"${john}"},"a":1}`)
    expect(JSON.stringify(screen(policy, value).value)).toBe(
      '{"z":"<EMAIL_1>","__proto__":{"a":"<EMAIL_2>"},"a":1}',
    )
  })

  it('makes no placeholder that somebody wrote already, wherever it stands', () => {
    const value = { a: jane, b: ['literally <EMAIL_1>', { '<EMAIL_2>': 1 }] }
    const memory = newRedactions()
    const { value: sent } = screen(policy, value, memory)
    expect(sent).toEqual({ a: '<EMAIL_3>', b: ['literally <EMAIL_1>', { '<EMAIL_2>': 1 }] })
    expect(restore(sent, memory)).toEqual(value)
  })
})

describe('restoring', () => {
  const memory = newRedactions()
  screen(policy, { to: [jane, john], tel: '+34 612 345 678' }, memory)

  it('puts the texts of the caller back, in texts and names, also as programs write them', () => {
    expect(
      restore(
        {
          text: 'Sent to <EMAIL_1>, <EMAIL_2>.',
          '<EMAIL_1>': ['{"to":"\\u003cEMAIL_1\\u003e"}', '&lt;PHONE_1&gt;'],
        },
        memory,
      ),
    ).toEqual({ text: `Sent to ${jane}, ${john}.`, [jane]: [`{"to":"${jane}"}`, '+34 612 345 678'] })
  })

  it('leaves alone what this call never made, so an upstream forges nothing', () => {
    const forged = { a: '<EMAIL_3> <CARD_1> <EMAIL_01> <EMAIL_1 > <__proto___1> <CONSTRUCTOR_1>', n: 1 }
    expect(restore(forged, memory)).toBe(forged)
    expect(restore({ a: '<EMAIL_1>' }, newRedactions())).toEqual({ a: '<EMAIL_1>' })
    const answer = JSON.stringify(restore(['<EMAIL_1>', '<EMAIL_9>'], memory))
    expect(answer).toBe(JSON.stringify([jane, '<EMAIL_9>']))
  })

  it('a redacted answer keeps its own placeholders: restoring never takes them for those of the call', () => {
    const answer = { echo: '<EMAIL_1>', other: 'eve@example.net', same: jane }
    const { value } = screen(compiled([], { pii_redaction: true }), answer, apartFrom(memory))
    expect(value).toEqual({ echo: '<EMAIL_1>', other: '<EMAIL_3>', same: '<EMAIL_4>' })
    expect(restore(value, memory)).toEqual({ echo: jane, other: '<EMAIL_3>', same: '<EMAIL_4>' })
  })

  it('stops where an answer of placeholders would grow by more than a mebibyte', () => {
    const long = newRedactions()
    const address = `${'a'.repeat(60)}@${'b'.repeat(60)}.example`
    screen(policy, address, long)
    const answer = '<EMAIL_1>'.repeat(100_000)
    const restored = String(restore(answer, long))
    expect(restored.length).toBeGreaterThan(1_048_576)
    expect(restored.length).toBeLessThan(answer.length + 1_048_576 + 200)
  })
})
