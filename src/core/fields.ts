import { z } from 'zod'
import { type IdKind, idPrefixes, looksLikeId } from '../domain/id.ts'
import { parseRange } from '../domain/ip-range.ts'
import { textProblem } from '../domain/text.ts'

/** Schemas whose values are secrets: audit, logs, tables and docs leave them out by this mark; no model is asked for a person's. */
export const secrets = z.registry<{ secret: true; ofPeople?: true }>()

/** Names of schemas that stand in several places: documentation shows such a one once, under its name. */
export const shared = z.registry<{ id: string }>()

/** A string that holds a secret. */
export function secretString(description: string) {
  return z.string().min(1).max(512).describe(description).register(secrets, { secret: true })
}

/** As `secretString`, for callers whose protocol takes a text of any length for one more secret that is no good. */
export function longSecret(description: string) {
  return z.string().min(1).max(16_384).describe(description).register(secrets, { secret: true })
}

/** Text without what databases, terminals or readers stumble over. */
export const clean = (allow: 'line' | 'block') =>
  z.string().superRefine((value, issues) => {
    const problem = textProblem(value, allow)
    if (problem !== undefined) issues.addIssue({ code: 'custom', message: problem })
  })

/** A name of 1–200 characters that cannot be taken for an id (security R11, R20). */
export const name = clean('line')
  .trim()
  .min(1)
  .max(200)
  .refine((value) => !looksLikeId(value), 'must not look like an id')

/** A name as a dialect keeps it: exactly as it was given, and possibly empty (security R11). */
export const exactName = clean('line')
  .max(200)
  .refine((value) => !looksLikeId(value), 'must not look like an id')

/** Free text of up to 2,000 characters; newline and tab are allowed. */
export const description = clean('block').max(2_000)

export const metadata = z
  .record(z.string().max(200), z.json())
  .refine((value) => JSON.stringify(value).length <= 16_384, 'must be at most 16,384 characters as JSON')
  .describe('Your own facts about it, a JSON object; replaced whole.')

/** As `exactName`; the blanks around a name are kept and do not count. */
const blanksKept = clean('line')
  .max(1_000)
  .refine((value) => [...value.trim()].length <= 200, 'must have at most 200 characters')
  .refine((value) => !looksLikeId(value.trim()), 'must not look like an id')

/** What a dialect gives of a thing that other faces check more strictly: the name as it is, metadata as JSON text. */
export const exactTexts = z.object({ name: blanksKept, metadata_text: z.string().max(300_000) })

/** Metadata as it is stored: text, so that it reads back exactly as it was sent; undefined = not given. */
export function metadataText(asked: {
  metadata?: unknown
  metadata_text?: string | undefined
}): string | undefined {
  return asked.metadata_text ?? (asked.metadata === undefined ? undefined : JSON.stringify(asked.metadata))
}

/** An id of that kind by form; whether it exists is asked later, and a wrong form is not_found, not a bad input. */
export function id(kind: IdKind, what: string) {
  // A user may be named by an e-mail, which is longer than any name.
  return z
    .string()
    .min(1)
    .max(kind === 'user' ? 254 : 200)
    .describe(`${what} (${idPrefixes[kind]}_…).`)
}

/** An id or an unambiguous name, for reads only. */
export function idOrName(kind: IdKind, what: string) {
  return z.string().min(1).max(200).describe(`${what}: its id (${idPrefixes[kind]}_…) or its exact name.`)
}

export const idList = (kind: IdKind, what: string) => z.array(id(kind, what)).max(100)

/** Addresses and CIDR ranges, kept as they were given; an empty list is refused because it would admit nobody (R28). */
export const allowedIps = z
  .array(
    z
      .string()
      .max(64)
      .transform((value, issues) => {
        const parsed = parseRange(value)
        if ('range' in parsed) return value.trim()
        issues.issues.push({ code: 'custom', message: parsed.problem, input: value })
        return z.NEVER
      }),
  )
  .min(1)
  .max(50)

/** A time with zone, stored as UTC with milliseconds. */
export const time = z.iso
  .datetime({ offset: true })
  .transform((value) => new Date(value))
  .refine(
    (value) => value.getTime() >= 0 && value.getUTCFullYear() <= 9_998,
    'must lie between 1970 and 9998',
  )
  .transform((value) => value.toISOString())

export const days = z.int().min(1).max(36_500)

export const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{16,128}$/, 'must be 16 to 128 visible ASCII characters')
  .describe(
    'Random string of 16–128 characters; the same call repeated with it within 10 minutes gets the same answer.',
  )

export const limit = z.int().min(1).max(100).default(20).describe('Entries per page, 1 to 100.')

export const cursor = z
  .string()
  .min(1)
  .max(200)
  .describe('next_cursor of the page before; leave out for the first page.')

export const order = z.enum(['asc', 'desc']).default('desc').describe('By creation: desc = newest first.')

export const email = clean('line')
  .transform((value) => value.normalize('NFKC').toLowerCase())
  .pipe(z.email().max(254))
