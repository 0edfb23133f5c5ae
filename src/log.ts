import pino, { type Logger as Pino } from 'pino'
import { isoOf } from './domain/iso.ts'
import { secretPattern } from './domain/secret.ts'

/** What is logged of an answered request: members of ours, of closed sets or counted; none can hold what a caller wrote. */
export interface RequestLine {
  request_id: string
  method: string | undefined
  /** The route's template, never the URL (security R9). */
  route: string
  status: number
  ms: number
  /** The id of the caller. */
  actor: string | null
}

export interface Logger extends Pino {
  /** The line of an answered request, one of each and thus written without the search for secrets. */
  request(line: RequestLine): void
}

const hiddenMembers = /secret|password|token$|^token|authorization|cookie|^env$|api_?key|^code$/i
const hiddenText: [RegExp, string][] = [
  [secretPattern, '[secret]'],
  [/bearer\s+[^\s"',]+/gi, 'Bearer [secret]'],
  [/\$argon2[a-z]*\$[^\s"']*/g, '[digest]'],
]

/** The length of the shortest text that is hidden: `Bearer` and one character. */
const shortestHidden = 8

/** How long lines wait to be written together, ms; a fault that ends the process writes them. */
const collectFor = 100

/** Where log lines go: written at once or, where requests are served, many with one call. */
export function standardError(collected: boolean) {
  if (!collected) return pino.destination({ dest: 2, sync: true })
  return pino.destination({ dest: 2, sync: false, minLength: 8_192, periodicFlush: collectFor })
}

/** The one logger: a JSON object a line on standard error, without secrets at any depth (security R53, R54). */
export function makeLog(level: string, stream: { write(line: string): void } = standardError(false)): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (entry: object) => redact(entry, 0) as Record<string, unknown>,
    },
    hooks: {
      logMethod(this: Pino, args: Parameters<pino.LogFn>, method: pino.LogFn) {
        const clean = args.map((arg) => (typeof arg === 'string' ? redactText(arg) : arg))
        method.apply(this, clean as Parameters<typeof method>)
      },
    },
  }
  const log = pino(options, stream)
  return Object.assign(log, {
    request({ request_id, method, route, status, ms, actor }: RequestLine) {
      if (!log.isLevelEnabled('info')) return
      const time = isoOf(Date.now())
      const line = { level: 'info', time, request_id, method, route, status, ms, actor, msg: 'request' }
      stream.write(`${JSON.stringify(line)}\n`)
    },
  })
}

/** A text without anything that looks like a secret. */
export function redactText(text: string): string {
  // Nothing that is hidden is shorter; most strings of a log are.
  if (text.length < shortestHidden) return text
  return hiddenText.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text)
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth > 6) return '[deep]'
  if (value instanceof Error) return errorFacts(value, depth)
  if (Array.isArray(value)) return value.slice(0, 50).map((item) => redact(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      hiddenMembers.test(name) && !/_id$/.test(name) ? '[hidden]' : redact(item, depth + 1),
    ]),
  )
}

function errorFacts(error: Error & { code?: unknown }, depth: number): unknown {
  const cause = error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }
  return {
    name: error.name,
    code: redact(error.code, depth + 1),
    message: redactText(error.message),
    stack: redactText(error.stack ?? ''),
    ...cause,
  }
}
