import pino, { type Logger } from 'pino'
import { secretPattern } from './domain/secret.ts'

export type { Logger } from 'pino'

const hiddenMembers = /secret|password|token$|^token|authorization|cookie|^env$|api_?key|^code$/i
const hiddenText: [RegExp, string][] = [
  [secretPattern, '[secret]'],
  [/bearer\s+[^\s"',]+/gi, 'Bearer [secret]'],
  [/\$argon2[a-z]*\$[^\s"']*/g, '[digest]'],
]

/** The length of the shortest text that is hidden: `Bearer` and one character. */
const shortestHidden = 8

/** Where log lines go: written at once, or, where requests are served, by a write that collects what comes meanwhile. */
export function standardError(collected: boolean) {
  return pino.destination({ dest: 2, sync: !collected })
}

/** The one logger: a JSON object a line on standard error, without secrets at any depth (security R53, R54). */
export function makeLog(level: string, stream: { write(line: string): void } = standardError(false)): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (entry) => redact(entry, 0) as Record<string, unknown>,
      },
      hooks: {
        logMethod(args, method) {
          const clean = args.map((arg) => (typeof arg === 'string' ? redactText(arg) : arg))
          method.apply(this, clean as Parameters<typeof method>)
        },
      },
    },
    stream,
  )
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
