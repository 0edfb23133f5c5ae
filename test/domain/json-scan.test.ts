import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mostInObject, scanJson } from '../../src/domain/json-scan.ts'

const free = { depth: Number.POSITIVE_INFINITY, members: Number.POSITIVE_INFINITY }
const scan = (text: string, limits: Partial<typeof free>) =>
  scanJson(Buffer.from(text), { ...free, ...limits })

describe('R24: scanJson', () => {
  it('R24: counts depth and members of any JSON value as a walk over the parsed value does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
        const { depth, members } = measure(value)
        const text = JSON.stringify(value, null, indent)
        expect(scan(text, { depth, members })).toBe('ok')
        if (depth > 0) expect(scan(text, { depth: depth - 1 })).toBe('too_deep')
        if (members > 0) expect(scan(text, { members: members - 1 })).toBe('too_many_members')
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['brackets and commas in strings', '["[[[[,,,,{{{{:"]', 1, 1],
    ['escaped quotes', String.raw`["a\"[,[", "\\", {"b\\\"{":1}]`, 2, 4],
    ['an escape at the very end', '["\\', 1, 1],
    ['a string that never ends', '{"a', 1, 1],
    ['blanks in empty containers', '[ \n\t\r]', 1, 0],
    ['a member that is a container', '{"a":[],"b":{}}', 2, 2],
    ['nothing', '', 0, 0],
    ['a bare number', '1', 0, 0],
    ['UTF-8 beyond ASCII', '{"é🌍":"世"}', 1, 1],
  ])('R24: counts right with %s', (_, text, depth, members) => {
    expect(scan(text, { depth, members })).toBe('ok')
    if (depth > 0) expect(scan(text, { depth: depth - 1 })).toBe('too_deep')
    if (members > 0) expect(scan(text, { members: members - 1 })).toBe('too_many_members')
  })

  it('R24: lets through exactly 32 levels and 1,000 members', () => {
    const limits = { depth: 32, members: 1000 }
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    const wide = (count: number) => JSON.stringify(Array(count).fill(0))
    expect(scan(nested(32), limits)).toBe('ok')
    expect(scan(nested(33), limits)).toBe('too_deep')
    expect(scan(wide(1000), limits)).toBe('ok')
    expect(scan(wide(1001), limits)).toBe('too_many_members')
  })

  it('R24: lets an object have exactly 10,000 members, whatever is inside of it and how many objects there are', () => {
    const object = (count: number) =>
      `{${Array.from({ length: count }, (_, at) => `"k:${at}":{"a":1,"b":[2]}`).join()}}`
    expect(mostInObject).toBe(10_000)
    expect(scan(`[${object(10_000)},${object(10_000)}]`, {})).toBe('ok')
    expect(scan(`[${object(5)},${object(10_001)}]`, {})).toBe('too_wide')
    expect(scan(`{"deep":[${object(10_001)}]}`, {})).toBe('too_wide')
  })

  it('R24: stops 10,000 levels inside 200 KiB and 4 MiB of brackets', () => {
    expect(scan(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`.padEnd(200 * 1024), { depth: 32 })).toBe(
      'too_deep',
    )
    expect(scan('['.repeat(4 * 1024 * 1024), { depth: 32 })).toBe('too_deep')
  })

  it('R24: takes less time over 256 KiB of any kind than JSON.parse takes over the worst of it', () => {
    const size = 256 * 1024
    const parse = fastest(() => attempt(() => JSON.parse('['.repeat(size))))
    for (const piece of ['[', ',', '"\\"",', ' ', '{"a":1},', 'x', '\\']) {
      const bytes = Buffer.from(piece.repeat(size / piece.length))
      expect(fastest(() => scanJson(bytes, free)) / parse, piece).toBeLessThan(1)
    }
  })
})

function measure(value: unknown): { depth: number; members: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, members: 0 }
  const inside = Object.values(value).map(measure)
  return {
    depth: 1 + Math.max(0, ...inside.map(({ depth }) => depth)),
    members: inside.reduce((sum, { members }) => sum + members, inside.length),
  }
}

function fastest(work: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    work()
    return performance.now() - start
  })
  return Math.min(...times)
}

function attempt(work: () => unknown): void {
  try {
    work()
  } catch {
    // A broken text is the point: only the time counts.
  }
}
