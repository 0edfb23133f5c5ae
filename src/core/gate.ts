import { AppError } from './errors.ts'

/** Runs a piece of work when its turn comes. Throws `rate_limited` where too many wait, or it waited too long. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

interface GateLimits {
  /** How many may wait while one runs. */
  waiting: number
  /** How long one waits, ms. */
  patience: number
}

/** One sentence for every limit of sign-ins, so that it does not tell which was met. */
export const tooManySignIns = 'Too many sign-ins at this moment. Wait a few seconds and try again.'

/** Lets one piece of work run at a time, in the order they came (security R48). */
export function makeGate({ waiting, patience }: GateLimits): Gate {
  let running = false
  const queue: (() => void)[] = []

  function turn(): Promise<void> {
    if (!running) {
      running = true
      return Promise.resolve()
    }
    if (queue.length >= waiting) return Promise.reject(busy())
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        queue.splice(queue.indexOf(go), 1)
        reject(busy())
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

function busy(): AppError {
  return new AppError('rate_limited', tooManySignIns, { reason: 'gate', retry_after: 1 })
}
