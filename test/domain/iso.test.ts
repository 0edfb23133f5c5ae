import { describe, expect, it } from 'vitest'
import { isoOf } from '../../src/domain/iso.ts'

describe('isoOf', () => {
  it('is the time with milliseconds, in UTC, whatever was asked before', () => {
    const times = [0, 1, 1, 1_700_000_000_123, 1_700_000_000_124, 0, 1_700_000_000_123]
    expect(times.map(isoOf)).toEqual(times.map((ms) => new Date(ms).toISOString()))
  })

  it('refuses what is no time, again and again', () => {
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, Number.NaN])
      expect(() => isoOf(ms)).toThrow(RangeError)
    expect(isoOf(0)).toBe('1970-01-01T00:00:00.000Z')
  })
})
