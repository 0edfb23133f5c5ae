import { describe, expect, it } from 'vitest'
import { rateHeaders } from '../../src/http/rate-headers.ts'

describe('the headers of limits', () => {
  it('tell limit, rest and seconds of a request that was counted, and nothing to wait for', () => {
    expect(rateHeaders({ reached: false, limit: 10, remaining: 0, reset: 42, retry_after: null })).toEqual({
      'ratelimit-limit': '10',
      'ratelimit-remaining': '0',
      'ratelimit-reset': '42',
    })
  })

  it('tell a refused request when to come again', () => {
    expect(rateHeaders({ reached: true, limit: 10, remaining: 0, reset: 42, retry_after: 42 })).toMatchObject(
      {
        'ratelimit-remaining': '0',
        'retry-after': '42',
      },
    )
  })

  it('name no time where all uses are used up for ever', () => {
    expect(rateHeaders({ reached: true, limit: 5, remaining: 0, reset: null, retry_after: null })).toEqual({
      'ratelimit-limit': '5',
      'ratelimit-remaining': '0',
    })
  })
})
