import { RateLimiterMemory } from 'rate-limiter-flexible'
import { AppError } from '../core/errors.ts'

/** Counts the requests of a credential; throws `rate_limited` above the limit. Undefined where the operator has set none. */
export type RequestLimit = (credentialId: string) => Promise<void> | undefined

/** Allows so many requests a second to each credential; without a number any. */
export function makeRequestLimit(perSecond: number | null): RequestLimit {
  if (perSecond === null) return () => undefined
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 })
  return async (id) => {
    const { consumedPoints } = await limiter.penalty(id)
    if (consumedPoints > perSecond)
      throw new AppError('rate_limited', 'Too many requests with this credential. Wait a second.', {
        retry_after: 1,
      })
  }
}
