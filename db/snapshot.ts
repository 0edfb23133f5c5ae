import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from './errors.ts'

const minute = 60_000

/** What the work of a snapshot answers, if it does so within `longest` ms. */
export async function inTime<T>(work: Promise<T>, longest = minute): Promise<T> {
  const over = new AbortController()
  const end = sleep(longest, undefined, { ref: false, signal: over.signal }).then(() => {
    throw new StoreUnavailable(`A snapshot of the store took longer than ${longest} ms.`)
  })
  try {
    return await Promise.race([work, end])
  } finally {
    over.abort()
  }
}
