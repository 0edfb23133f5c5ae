import { describe, expect, it } from 'vitest'
import { makeBackoff } from '../../src/gateway/program/backoff.ts'

describe('the wait of a server that keeps crashing', () => {
  const runs = {}

  it('doubles with each crash soon after a start, from half a second to thirty', () => {
    let now = 0
    const backoff = makeBackoff(() => now)
    const pauses: number[] = []
    for (let n = 0; n < 9; n++) {
      const pause = backoff.crashed('a', runs, 10_000)
      pauses.push(pause)
      expect(backoff.wait('a', runs)).toBe(pause)
      now += pause - 1
      expect(backoff.wait('a', runs)).toBe(1)
      now += 1
      expect(backoff.wait('a', runs)).toBe(0)
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  it('is none after a run of more than ten seconds, and begins anew after that', () => {
    const backoff = makeBackoff(() => 0)
    for (let n = 0; n < 5; n++) backoff.crashed('a', runs, 1)
    expect(backoff.crashed('a', runs, 10_001)).toBe(0)
    expect(backoff.wait('a', runs)).toBe(0)
    expect(backoff.crashed('a', runs, 1)).toBe(500)
  })

  it('is of one server alone, and over once that is told to run something else', () => {
    const backoff = makeBackoff(() => 0)
    backoff.crashed('a', runs, 1)
    backoff.crashed('a', runs, 1)
    expect(backoff.wait('b', runs)).toBe(0)
    expect(backoff.wait('a', {})).toBe(0)
    expect(backoff.crashed('a', {}, 1)).toBe(500)
  })
})
