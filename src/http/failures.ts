import { RateLimiterMemory } from 'rate-limiter-flexible'
import { AppError } from '../core/errors.ts'
import { addressGroup } from '../domain/ip-range.ts'

/** Counts failed authentications per source (security R29). */
export interface FailureLimit {
  /** Counts one; throws `rate_limited` when the source had too many in this minute. */
  count(ip: string | null): Promise<void>
}

const mostSources = 20_000

/** Allows so many failures per address (IPv6: per /64) and minute; a good credential never asks here. */
export function makeFailureLimit(perMinute: number): FailureLimit {
  const limiter = new RateLimiterMemory({ points: perMinute, duration: 60 })
  const sources = new Set<string>()
  return {
    async count(ip) {
      const source = ip === null ? 'unknown' : addressGroup(ip)
      if (!sources.has(source)) {
        const [oldest] = sources
        if (sources.size >= mostSources && oldest !== undefined) {
          sources.delete(oldest)
          await limiter.delete(oldest)
        }
        sources.add(source)
      }
      const { consumedPoints } = await limiter.penalty(source)
      if (consumedPoints > perMinute) throw new AppError('rate_limited', tooMany)
    },
  }
}

const tooMany = 'Too many failed sign-ins from this address. Wait a minute; a valid credential works at once.'
