import { z } from 'zod'
import { time } from '../../core/fields.ts'
import { looksLikeId } from '../../domain/id.ts'
import { parseRange } from '../../domain/ip-range.ts'
import { textProblem } from '../../domain/text.ts'
import { serversFixed, shown } from './words.ts'

const length = 'must be a string of 1 to 200 characters'
const name = z
  .string(length)
  .refine((value) => value.trim() !== '' && [...value.trim()].length <= 200, length)
  .refine((value) => !looksLikeId(value.trim()), 'must not have the form of an id')
  .superRefine((value, issues) => {
    const problem = textProblem(value, 'line')
    if (problem !== undefined) issues.addIssue({ code: 'custom', message: problem })
  })
  .describe('1 to 200 characters.')

const wholeDays = 'must be a whole number from 1 to 90'
const instant = 'must be a time with its zone, such as 2026-06-18T12:00:00Z'
const expiry = {
  expires_in_days: z.int(wholeDays).min(1, wholeDays).max(90, wholeDays).optional(),
  expires_at: z
    .string(instant)
    .refine((value) => time.safeParse(value).success, instant)
    .optional()
    .describe('RFC 3339, instead of expires_in_days; at most 90 days ahead.'),
}

const addresses = 'must be null or a list of 1 to 50 addresses and CIDR ranges'
const allowed_ips = z
  .array(z.string('must be an IP address or a range in CIDR notation'), addresses)
  .min(1, addresses)
  .max(50, addresses)
  .superRefine((entries, issues) => {
    for (const entry of entries) {
      const parsed = parseRange(entry)
      if ('problem' in parsed)
        issues.addIssue({ code: 'custom', message: `${shown(entry)} ${parsed.problem}` })
    }
  })
  .nullable()
  .optional()
  .describe('null = any address.')

const serverIds = 'must be a list of at most 100 server ids, or "all"'
const server_ids = z
  .union([z.literal('all'), z.array(z.string().min(1).max(200))], serverIds)
  .transform((asked) => (asked === 'all' ? asked : [...new Set(asked)]))
  .refine((asked) => asked.length <= 100, serverIds)
  .optional()
  .describe('Ids of servers, or "all"; absent = no server.')

/** A JSON object and no other value. */
function object<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'invalid_type' ? 'the body must be a JSON object' : undefined),
  })
}

export const createBody = object({ name, server_ids, ...expiry, allowed_ips })

const unchangeable = z.never(serversFixed).optional()

export const editBody = object({
  name: name.optional(),
  ...expiry,
  allowed_ips,
  server_ids: unchangeable,
  servers: unchangeable,
  scopes: unchangeable,
  all_servers: unchangeable,
}).refine((body) => Object.keys(body).length > 0, 'give name, expires_in_days, expires_at or allowed_ips')

const seconds = 'must be a whole number from 0 to 86400'

export const rotateBody = object({
  grace_seconds: z
    .int(seconds)
    .min(0, seconds)
    .max(86_400, seconds)
    .optional()
    .describe('How long the old secret still opens servers; default 0.'),
})

const states = ['active', 'disabled', 'expired', 'revoked', 'all'] as const
const entries = 'must be a whole number from 1 to 100'
const place = 'must be the next_cursor of the page before'

/** Anything else in a query is not read (mctx:auth:query:ignored). */
export const listQuery = z.object({
  status: z
    .enum(states, `must be one of ${states.join(', ')}`)
    .optional()
    .describe('Default: active.'),
  limit: z
    .string(entries)
    .refine((value) => /^\d{1,3}$/.test(value), entries)
    .transform(Number)
    .pipe(z.int(entries).min(1, entries).max(100, entries))
    .optional()
    .describe('1 to 100, default 100.'),
  cursor: z.string(place).min(1, place).max(200, place).optional(),
})
