import { AppError } from './errors.ts'

/** Runs a piece of work when its turn comes. Throws `rate_limited` where too many wait, or it waited too long. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

interface GateLimits {
  /** How many may wait while one runs. */
  waiting: number
  /** How long one waits, ms. */
  patience: number
  /** What those are told whose turn does not come. */
  told?: string
}

/** One sentence for every limit of sign-ins, so that it does not tell which was met. */
export const tooManySignIns = 'Too many sign-ins at this moment. Wait a few seconds and try again.'

/** A change that is only tried holds the write lock like any other, and costs its caller nothing: one at a time (security R45). */
export function makeTrialGate(): Gate {
  const told = 'Too many changes are being tried out at this moment. Wait a second and try again.'
  return makeGate({ waiting: 64, patience: 5_000, told })
}

/** Lets one piece of work run at a time, in the order they came (security R48). */
export function makeGate({ waiting, patience, told = tooManySignIns }: GateLimits): Gate {
  let running = false
  const queue: (() => void)[] = []

  function turn(): Promise<void> {
    if (!running) {
      running = true
      return Promise.resolve()
    }
    if (queue.length >= waiting) return Promise.reject(busy(told))
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        queue.splice(queue.indexOf(go), 1)
        reject(busy(told))
      }, patience)
      queue.push(go)
    })
  }

  function pass(): void {
    const next = queue.shift()
    if (next === undefined) running = false
    else next()
  }

  return async (work) => {
    await turn()
    try {
      return await work()
    } finally {
      pass()
    }
  }
}

function busy(told: string): AppError {
  return new AppError('rate_limited', told, { reason: 'gate', retry_after: 1 })
}
