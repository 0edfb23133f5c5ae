import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Counted,
  countedState,
  isLimited,
  stateOf,
  type UseLimits,
  windowStart,
} from '../../src/domain/use-limits.ts'

const at = Date.parse('2026-03-01T12:00:00.000Z')
const none: UseLimits = { limit_requests: null, limit_seconds: null, max_uses: null }
const tenAMinute: UseLimits = { limit_requests: 10, limit_seconds: 60, max_uses: null }
const fiveEver: UseLimits = { ...none, max_uses: 5 }
const both: UseLimits = { ...tenAMinute, max_uses: 5 }
const counted = (window_count: number, uses: number, window_start = at): Counted => ({
  window_start,
  window_count,
  uses,
})

describe('windows', () => {
  it('are aligned to their length, so that all nodes name the same ones', () => {
    for (const [now, seconds, start] of [
      [at, 60, at],
      [at + 59_999, 60, at],
      [at + 60_000, 60, at + 60_000],
      [at + 1, 1, at],
      [at + 86_399_999 - 43_200_000, 86_400, at - 43_200_000],
    ] as const)
      expect(windowStart(now, seconds)).toBe(start)
  })

  it('hold each moment once: it lies in the window it starts, and in no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 1, max: 86_400 }), (now, seconds) => {
        const start = windowStart(now, seconds)
        expect(start).toBeLessThanOrEqual(now)
        expect(now - start).toBeLessThan(seconds * 1_000)
        expect(windowStart(start, seconds)).toBe(start)
        expect(windowStart(start + seconds * 1_000, seconds)).toBe(start + seconds * 1_000)
      }),
    )
  })
})

describe('the state of a limit', () => {
  it.each<[string, UseLimits, Counted | undefined, number, object]>([
    [
      'nothing counted yet',
      tenAMinute,
      undefined,
      at + 1,
      { reached: false, limit: 10, remaining: 10, reset: 60, retry_after: null },
    ],
    [
      'some counted',
      tenAMinute,
      counted(3, 3),
      at + 30_500,
      { reached: false, limit: 10, remaining: 7, reset: 30, retry_after: null },
    ],
    [
      'all counted',
      tenAMinute,
      counted(10, 90),
      at + 30_500,
      { reached: true, limit: 10, remaining: 0, reset: 30, retry_after: 30 },
    ],
    [
      'the last ms of a window',
      tenAMinute,
      counted(10, 10),
      at + 59_999,
      { reached: true, limit: 10, remaining: 0, reset: 1, retry_after: 1 },
    ],
    [
      'the next window',
      tenAMinute,
      counted(10, 10),
      at + 60_000,
      { reached: false, limit: 10, remaining: 10, reset: 60, retry_after: null },
    ],
    [
      'a clock behind',
      tenAMinute,
      counted(10, 10),
      at - 5_000,
      { reached: true, limit: 10, remaining: 0, reset: 65, retry_after: 65 },
    ],
    [
      'uses left',
      fiveEver,
      counted(4, 4, 0),
      at,
      { reached: false, limit: 5, remaining: 1, reset: null, retry_after: null },
    ],
    [
      'uses up',
      fiveEver,
      counted(5, 5, 0),
      at,
      { reached: true, limit: 5, remaining: 0, reset: null, retry_after: null },
    ],
    [
      'more uses than a limit that was lowered',
      fiveEver,
      counted(9, 9, 0),
      at,
      { reached: true, limit: 5, remaining: 0, reset: null, retry_after: null },
    ],
    [
      'more requests than a limit that was lowered',
      tenAMinute,
      counted(12, 12),
      at,
      { reached: true, limit: 10, remaining: 0, reset: 60, retry_after: 60 },
    ],
    [
      'both, uses nearer to their end',
      both,
      counted(2, 2),
      at,
      { reached: false, limit: 5, remaining: 3, reset: null, retry_after: null },
    ],
    [
      'both, the window nearer to its end',
      { ...both, max_uses: 90 },
      counted(2, 2),
      at,
      { reached: false, limit: 10, remaining: 8, reset: 60, retry_after: null },
    ],
    [
      'both at their end: never again',
      { ...both, max_uses: 10 },
      counted(10, 10),
      at,
      { reached: true, limit: 10, remaining: 0, reset: null, retry_after: null },
    ],
    [
      'a window that had another length',
      { ...tenAMinute, limit_seconds: 3_600 },
      counted(10, 10, at + 60_000),
      at + 61_000,
      { reached: true, limit: 10, remaining: 0, reset: 3_539, retry_after: 3_539 },
    ],
  ])('%s', (_, limits, known, now, state) => {
    expect(stateOf(limits, known, now)).toEqual(state)
  })

  it('of the last use that is let through has nothing remaining and is not refused', () => {
    expect(countedState(tenAMinute, counted(10, 10), at)).toEqual({
      reached: false,
      limit: 10,
      remaining: 0,
      reset: 60,
      retry_after: null,
    })
  })

  it('never waits 0 seconds, nor longer than a window of this clock', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: 1, max: 86_400 }),
        fc.integer({ min: 0, max: 20 }),
        (now, seconds, n) => {
          const limits = { limit_requests: 10, limit_seconds: seconds, max_uses: null }
          const state = stateOf(limits, counted(n, n, windowStart(now, seconds)), now)
          expect(state.reset).toBeGreaterThanOrEqual(1)
          expect(state.reset).toBeLessThanOrEqual(seconds)
          expect(state.reached).toBe(n >= 10)
          expect(state.retry_after).toBe(n >= 10 ? state.reset : null)
        },
      ),
    )
  })

  it('is there for tokens with limits only', () => {
    expect([none, tenAMinute, fiveEver, both].map(isLimited)).toEqual([false, true, true, true])
  })
})
