import { createHash } from 'node:crypto'
import { addressGroup } from '../domain/ip-range.ts'
import { type Bucket, levelAt, type Rate, taken, waitFor } from '../domain/token-bucket.ts'
import { AppError } from './errors.ts'
import { tooManySignIns } from './gate.ts'

/** What failed sign-ins may come to before the next one is looked at (security R29). */
export interface SignInLimits {
  /**
   * Takes a place for one attempt, after a pause where many failed for the account, and answers how to give it back:
   * what succeeds uses up nothing. Throws `rate_limited`.
   */
  reserve(account: string, ip: string | null): Promise<() => void>
}

/** Twenty failures at once for an account from an address, then one in three seconds. */
const fromOnePlace: Rate = { most: 20, every: 3_000 }
const ofAddress: Rate = { most: 100, every: 600 }
/** Of an account from everywhere: beyond it nothing is refused, or strangers could lock people out. */
const ofAccount: Rate = { most: 20, every: 3_000, least: -30 }

/** The pause for each failure beyond those, ms, and the longest. */
const pausePerFailure = 100
const longestPause = 3_000

interface Options {
  clock: () => number
  /** Buckets remembered; the oldest go first. */
  remembered?: number
  /** Attempts that may pause at once; beyond them the one that has paused longest goes on. */
  pausing?: number
}

export function makeSignInLimits({ clock, remembered = 50_000, pausing = 1_000 }: Options): SignInLimits {
  const buckets = makeMemory<Bucket>(remembered)
  const pause = makePause(pausing)

  function take(key: string, rate: Rate, count: number): void {
    buckets.set(key, taken(rate, buckets.get(key), clock(), count))
  }

  return {
    async reserve(name, ip) {
      const account = digestOf(name)
      const address = ip === null ? 'local' : addressGroup(ip)
      const limits: [key: string, rate: Rate][] = [
        [`${account} ${address}`, fromOnePlace],
        [address, ofAddress],
      ]
      const waits = limits.map(([key, rate]) => waitFor(rate, buckets.get(key), clock()))
      const wait = Math.max(...waits)
      if (wait > 0) {
        // Counts from now on, also where the clock was put back.
        for (const [key, rate] of limits) take(key, rate, 0)
        const retry_after = Math.ceil(wait / 1_000)
        throw new AppError('rate_limited', tooManySignIns, { reason: 'sign_in', retry_after })
      }
      const beyond = 1 - levelAt(ofAccount, buckets.get(account), clock())
      const all: typeof limits = [...limits, [account, ofAccount]]
      for (const [key, rate] of all) take(key, rate, 1)
      if (beyond > 0) await pause(Math.min(longestPause, beyond * pausePerFailure))
      return () => {
        for (const [key, rate] of all) take(key, rate, -1)
      }
    },
  }
}

/** Of fixed length, whatever was sent as an e-mail. */
function digestOf(account: string): string {
  return createHash('sha256').update(account).digest('base64url')
}

/** Remembers so many values at most; what was not touched for longest is forgotten, half of all at a time. */
function makeMemory<Value>(most: number) {
  let young = new Map<string, Value>()
  let old = new Map<string, Value>()
  return {
    get: (key: string) => young.get(key) ?? old.get(key),
    set(key: string, value: Value | undefined) {
      old.delete(key)
      if (value === undefined) young.delete(key)
      else young.set(key, value)
      if (young.size < most / 2) return
      old = young
      young = new Map()
    },
  }
}

/** A pause that never refuses and never holds more than so many. */
function makePause(most: number): (ms: number) => Promise<void> {
  const pausing = new Set<() => void>()
  return (ms) =>
    new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer)
        pausing.delete(go)
        resolve()
      }
      const timer = setTimeout(go, ms)
      pausing.add(go)
      if (pausing.size <= most) return
      const [longest] = pausing
      longest?.()
    })
}
