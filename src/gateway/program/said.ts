import { mask } from '../../domain/server-values.ts'
import type { Logger } from '../../log.ts'

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
/** Shorter values stand in every second line by chance. */
const shortestHidden = 8

/** Counts the lines of all processes of a server, and says how many were left out. */
export function makeBudget(log: Logger, server: string): Budget {
  let began = Number.NEGATIVE_INFINITY
  let count = 0
  return {
    take() {
      const now = performance.now()
      if (now - began >= windowMs) {
        began = now
        count = 0
      }
      count += 1
      if (count === mostLines + 1) setTimeout(tell, began + windowMs - now).unref()
      return count <= mostLines
    },
  }

  function tell(): void {
    log.info({ server, dropped: count - mostLines }, 'lines of a program were left out')
    count = 0
    began = performance.now()
  }
}

/** Logs for one process, without the values of its environment. */
export function makeSaid(
  log: Logger,
  server: string,
  env: Readonly<Record<string, string>>,
  budget: Budget,
): Said {
  const hidden = hiddenTexts(Object.values(env))
  const pattern = hidden.length === 0 ? undefined : new RegExp(hidden.map(literally).join('|'), 'g')
  // Three bytes make one character at most, and a value that starts within what is shown is known as a whole.
  const longest = 3 * (shown + (hidden[0]?.length ?? 0))
  return {
    longest,
    error(line) {
      if (line.length > 0 && budget.take())
        log.info({ server, stream: 'stderr' }, masked(line.toString('utf8').trimEnd(), pattern))
    },
    noise(line) {
      if (line.length === 0 || !budget.take()) return
      const said = masked(line.subarray(0, longest).toString('utf8').trimEnd(), pattern)
      log.warn({ server, said }, 'a program said something on its standard output that is no MCP message')
    },
  }
}

/** What of the values may not be shown, the longest first: they may come line by line, or escaped. */
function hiddenTexts(values: readonly string[]): string[] {
  const texts = values.flatMap((value) => [
    value,
    JSON.stringify(value).slice(1, -1),
    ...value.split(/\r?\n/),
  ])
  return [...new Set(texts)]
    .filter(({ length }) => length >= shortestHidden)
    .sort((a, b) => b.length - a.length)
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

/** What is shown of a line; a value that begins in there is hidden to its end. */
function masked(text: string, pattern: RegExp | undefined): string {
  if (pattern === undefined) return text.slice(0, shown)
  let told = ''
  let at = 0
  for (const { 0: value, index } of text.matchAll(pattern)) {
    if (index >= shown) break
    told += text.slice(at, index) + mask
    at = index + value.length
  }
  return told + text.slice(at, shown)
}
