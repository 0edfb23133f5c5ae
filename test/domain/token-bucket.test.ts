import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bucket, levelAt, type Rate, taken, waitFor } from '../../src/domain/token-bucket.ts'

const rate: Rate = { most: 20, every: 3_000 }

function emptied(count: number, bounded: Rate = rate): Bucket | undefined {
  let bucket: Bucket | undefined
  for (let n = 0; n < count; n++) bucket = taken(bounded, bucket, 0, 1)
  return bucket
}

describe('a token bucket', () => {
  it('lets so many come at once and then one in each time', () => {
    const empty = emptied(20)
    expect(waitFor(rate, emptied(19), 0)).toBe(0)
    expect(waitFor(rate, empty, 0)).toBe(3_000)
    expect(waitFor(rate, empty, 2_999)).toBe(1)
    expect(waitFor(rate, empty, 3_000)).toBe(0)
    expect(levelAt(rate, empty, 60_000)).toBe(20)
    expect(levelAt(rate, empty, 60_000_000)).toBe(20)
  })

  it('what is given back is as if it had not been taken, and a full one is none', () => {
    const some = emptied(5)
    expect(taken(rate, taken(rate, some, 10, 1), 10, -1)).toEqual({ at: 10, credit: 45_010 })
    expect(taken(rate, emptied(1), 0, -1)).toBeUndefined()
    expect(taken(rate, undefined, 0, -1)).toBeUndefined()
  })

  it('goes below nothing only where it may, and no further', () => {
    expect(levelAt(rate, emptied(100), 0)).toBe(0)
    expect(levelAt(rate, emptied(100, { ...rate, least: -30 }), 0)).toBe(-30)
  })

  it('never holds more than it may, and a clock that goes back opens no place', () => {
    const step = fc.tuple(fc.integer({ min: -10_000, max: 10_000 }), fc.constantFrom(1, -1))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let bucket: Bucket | undefined
        let now = 1_000_000
        for (const [passed, count] of steps) {
          const before = levelAt(rate, bucket, now)
          now += passed
          if (passed < 0) expect(levelAt(rate, bucket, now)).toBeLessThanOrEqual(before)
          bucket = taken(rate, bucket, now, count)
          expect(levelAt(rate, bucket, now)).toBeGreaterThanOrEqual(0)
          expect(levelAt(rate, bucket, now)).toBeLessThanOrEqual(20)
        }
      }),
    )
  })
})
