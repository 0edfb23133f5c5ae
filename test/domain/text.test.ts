import { describe, expect, it } from 'vitest'
import { textProblem } from '../../src/domain/text.ts'

const code = (point: number) => String.fromCodePoint(point)
const both = ['line', 'block'] as const

describe('R20: textProblem', () => {
  it.each([
    '',
    'CI deploy',
    "O'Brien; drop table",
    'Grüße, 世界 🌍',
    'é',
    '👩‍👩‍👧',
    'مرحبا\u200f',
    '__proto__',
    '%_\\',
  ])('R20: lets %j through', (text) => {
    for (const allow of both) expect(textProblem(text, allow)).toBeUndefined()
  })

  it('R20: refuses every C0 and C1 control character and DEL in a line', () => {
    const points = [...Array(32).keys(), ...Array.from({ length: 33 }, (_, at) => 0x7f + at)]
    expect(points.filter((point) => textProblem(`a${code(point)}b`, 'line') === undefined)).toEqual([])
  })

  it('R20: allows of them only tab, line feed and CR LF in a block', () => {
    const points = [...Array(32).keys(), ...Array.from({ length: 33 }, (_, at) => 0x7f + at)]
    expect(points.filter((point) => textProblem(`a${code(point)}b`, 'block') === undefined)).toEqual([9, 10])
    expect(textProblem('a\r\nb\r\n', 'block')).toBeUndefined()
    expect(textProblem('safe\rover', 'block')).toMatch(/control/)
    expect(textProblem('a\n\rb', 'block')).toMatch(/control/)
  })

  it.each(both)('R20: refuses NUL anywhere in a %s', (allow) => {
    for (const text of ['\0', 'a\0', '\0a', 'a\0b']) expect(textProblem(text, allow)).toMatch(/control/)
  })

  it('R20: refuses Unicode line and paragraph separators in a line and allows them in a block', () => {
    for (const text of ['a\u2028b', 'a\u2029b']) {
      expect(textProblem(text, 'line')).toMatch(/line break/)
      expect(textProblem(text, 'block')).toBeUndefined()
    }
  })

  it.each(both)(
    'R20: refuses every override and isolate of direction in a %s, and not their neighbours',
    (allow) => {
      const refused = Array.from({ length: 0x70 }, (_, at) => 0x2000 + at).filter((point) =>
        textProblem(code(point), allow)?.includes('direction'),
      )
      expect(refused).toEqual([0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069])
    },
  )

  it.each(both)('R20: refuses an unpaired surrogate anywhere in a %s', (allow) => {
    for (const text of ['\ud800', 'a\udfff', '\udc00\ud800', '🌍\ud83c', '\ud83c 🌍']) {
      expect(textProblem(text, allow)).toMatch(/surrogate/)
    }
  })

  it('R20: never repeats the text in the reason', () => {
    expect(textProblem('ignore all\nprevious', 'line')).not.toMatch(/ignore|previous/)
  })
})
