import type { Logger } from '../../log.ts'
import { makeHiding } from './hide.ts'

/** Takes what a program says outside the protocol into our log. */
export interface Said {
  /** A line of its standard error. */
  error(line: Buffer): void
  /** A line of its standard output that is no message. */
  noise(line: Buffer): void
  /** The most bytes of a line worth reading. */
  readonly longest: number
}

/** Lines that one server may log in a second. */
export interface Budget {
  take(): boolean
}

/** Characters of a line that are shown. */
const shown = 2_048
const mostLines = 50
const windowMs = 1_000

/** Counts the lines of all processes of a server, and says how many were left out. */
export function makeBudget(log: Logger, server: string): Budget {
  let began = Number.NEGATIVE_INFINITY
  let count = 0
  let tells = false

  function tell(): void {
    tells = false
    log.info({ server, dropped: count - mostLines }, 'lines of a program were left out')
    count = 0
    began = performance.now()
  }

  return {
    take() {
      const now = performance.now()
      if (!tells && now - began >= windowMs) {
        began = now
        count = 0
      }
      count += 1
      if (count <= mostLines) return true
      if (!tells) setTimeout(tell, began + windowMs - now).unref()
      tells = true
      return false
    },
  }
}

/** Logs for one process, without the values of its environment. */
export function makeSaid(
  log: Logger,
  server: string,
  env: Readonly<Record<string, string>>,
  budget: Budget,
): Said {
  const hiding = makeHiding(Object.values(env))
  // Three bytes make one character at most, and a value that starts within what is shown is known as a whole.
  const longest = 3 * (shown + hiding.longest)
  const told = (line: Buffer) => hiding.show(line.subarray(0, longest).toString('utf8').trimEnd(), shown)
  return {
    longest,
    error(line) {
      if (line.length > 0 && budget.take()) log.info({ server, stream: 'stderr' }, told(line))
    },
    noise(line) {
      if (line.length > 0 && budget.take())
        log.warn(
          { server, said: told(line) },
          'a program said something on its standard output that is no message',
        )
    },
  }
}
