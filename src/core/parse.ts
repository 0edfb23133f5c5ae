import { z } from 'zod'
import { AppError, type Issue } from './errors.ts'
import { secrets } from './fields.ts'
import type { AnyOperation } from './operation.ts'

/** Parses an operation's input; each thing wrong is named with its member and the rule, never with the value. */
export function parseInput<I extends z.ZodObject>(
  operation: { name: string; input: I },
  raw: unknown,
): z.output<I> {
  const parsed = operation.input.safeParse(raw ?? {})
  if (parsed.success) {
    const broken = Object.entries(raw ?? {}).flatMap(([member, value]) =>
      isSecret(operation.input.shape[member])
        ? []
        : [...brokenName(member, []), ...brokenText(value, [member])],
    )
    if (broken.length > 0) throw invalid(broken)
    return parsed.data
  }
  const issues = parsed.error.issues.map((issue) => toIssue(operation as unknown as AnyOperation, issue))
  throw invalid(issues)
}

/** Text one database stores and another refuses or changes, wherever it stands (security R20, F12). */
function brokenText(value: unknown, path: (string | number)[]): Issue[] {
  if (typeof value === 'string') {
    const sound = !value.includes('\0') && !/\p{Surrogate}/u.test(value)
    return sound
      ? []
      : [{ path, code: 'broken_text', message: 'holds NUL or half a character (an unpaired surrogate)' }]
  }
  if (Array.isArray(value)) return value.flatMap((item, at) => brokenText(item, [...path, at]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, item]) => [
    ...brokenName(name, path),
    ...brokenText(item, [...path, name]),
  ])
}

/** zod leaves `__proto__` out without a word. */
function brokenName(name: string, path: (string | number)[]): Issue[] {
  if (name !== '__proto__') return brokenText(name, path)
  return [{ path, code: 'broken_text', message: 'may not have a member __proto__' }]
}

/** A malformed secret is just a wrong one, and its text goes nowhere. */
function isSecret(schema: unknown): boolean {
  if (!(schema instanceof z.ZodType)) return false
  return (
    secrets.has(schema) ||
    ('unwrap' in schema && typeof schema.unwrap === 'function' && isSecret(schema.unwrap()))
  )
}

/** The refusal for bad input, with one sentence that names the first few problems. */
export function invalid(issues: Issue[]): AppError {
  const told = issues.slice(0, 3).map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`)
  const more = issues.length > 3 ? ` (and ${issues.length - 3} more)` : ''
  const field = issues[0]?.path.join('.')
  return new AppError('invalid_input', `${told.join('; ')}${more}.`, { issues, ...(field ? { field } : {}) })
}

function toIssue(operation: AnyOperation, issue: z.core.$ZodIssue): Issue {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(shownName)
    const known =
      path.length === 0
        ? `; ${operation.name} takes ${Object.keys(operation.input.shape).join(', ') || 'none'}`
        : ''
    const message = `unknown argument ${names.join(', ')}${known}`
    return { path: [...path, names[0] ?? ''], code: 'unknown_member', message }
  }
  const absent = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  return { path, code: issue.code ?? 'invalid', message: absent ? 'must be given' : lower(issue.message) }
}

function lower(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '')
}

/** A member's name as the caller is told it; one that is no plain name may be a secret in the wrong place. */
function shownName(name: string): string {
  return /^[A-Za-z_][\w-]{0,31}$/.test(name) ? name : '(a name that is not shown)'
}
