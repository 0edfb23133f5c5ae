import { z } from 'zod'
import { AppError, type ErrorCode, type Issue } from '../../core/errors.ts'
import { shared } from '../../core/fields.ts'
import { secretPattern } from '../../domain/secret.ts'
import type { Answer } from '../../http/answer.ts'
import { nativeError } from '../../http/errors.ts'
import type { Moment } from '../dialect.ts'

/** The body of every refusal (metorial:wire:error:envelope). */
export const refusal = z.object({
  object: z.literal('error'),
  ok: z.literal(false),
  status: z.int().describe('The HTTP status again.'),
  code: z.string(),
  message: z.string(),
  reason: z.string().optional(),
  entity: z.string().optional(),
  id: z.string().optional(),
  errors: z
    .array(z.unknown().meta({ type: 'object' }))
    .optional()
    .describe('Everything wrong with the body or the query.'),
})

shared.add(refusal, { id: 'MetorialError' })

const entities: Record<string, string> = {
  token: 'magic_mcp.token',
  group: 'magic_mcp.group',
  server: 'magic_mcp.server',
  'magic endpoint': 'magic_mcp.endpoint',
}

/** States in which a thing is not changed, as the end of a sentence. */
const dead: Record<string, string> = { revoked: 'deleted', deleted: 'deleted', expired: 'expired' }

/** Reasons of a body that is not read at all. */
const unread: Record<string, string> = {
  json: 'invalid_json_body',
  media_type: 'unsupported_content_type',
  complex: 'body_too_complex',
  invalid_cursor: 'invalid_cursor',
  max_lifetime_days: 'max_lifetime_days',
  require_expiry: 'require_expiry',
  require_allowed_ips: 'require_allowed_ips',
}

/** An error as clients of Metorial read it (metorial:wire:error:*). */
export function word(error: AppError, { requestId, formed }: Moment): Answer {
  const { allow: _, ...headers } = nativeError(error, requestId, formed).headers
  const { status, ...told } = said(error)
  const wait = error.code === 'rate_limited' ? { 'retry-after': patience(headers) } : {}
  return { status, body: { object: 'error', ok: false, status, ...told }, headers: { ...headers, ...wait } }
}

/** Clients sleep for it, so it is short (metorial:wire:rate-limit:retry-after). */
function patience(headers: Record<string, string | undefined>): string {
  return String(Math.min(5, Math.max(1, Number(headers['retry-after'] ?? 5))))
}

function kindOf(id = ''): string {
  return { mggr: 'magic_mcp.group', mgsr: 'magic_mcp.server' }[id.slice(0, 4)] ?? 'magic_mcp.token'
}

interface Said {
  status: number
  code: string
  message: string
  reason?: string
  entity?: string
  id?: string
  errors?: object[]
}

function said(error: AppError): Said {
  const { code, reason = '', message } = error
  const entity = entities[error.entity ?? ''] ?? error.entity
  const thing = {
    ...(entity === undefined ? {} : { entity }),
    // A caller may have put a secret where an id belongs.
    ...(error.id === undefined || error.id.search(secretPattern) !== -1 ? {} : { id: error.id }),
  }
  const requested = `The requested ${entity ?? 'thing'} could not be found.`
  if (code === 'unsupported' && reason === 'method') return unknownRoute
  if (code === 'not_found') {
    return entity === 'endpoint'
      ? unknownRoute
      : { status: 404, code: 'not_found', message: requested, ...thing }
  }
  if (code === 'conflict' && reason in dead) {
    const state = `This ${entity} is ${dead[reason]}.`
    return { status: 412, code: 'precondition_failed', message: state, ...thing }
  }
  if (code === 'gone') return { status: 410, code: 'gone', message: `This ${entity} is deleted.`, ...thing }
  if (code === 'already_done')
    return { status: 409, code: 'already_done', message, entity: kindOf(error.id), ...thing }
  if (code !== 'conflict' && reason in unread)
    return { status: 400, code: 'bad_request', message, reason: unread[reason] ?? reason }
  if (code === 'invalid_input') return invalidData(error)
  if (code === 'too_large') return tooLarge(reason, message)
  return fixed[code] ?? { status: 409, code: 'conflict', message }
}

const unknownRoute: Said = {
  status: 404,
  code: 'not_found',
  message: 'The requested endpoint could not be found.',
  entity: 'endpoint',
}

const fixed: Partial<Record<ErrorCode, Said>> = {
  unauthenticated: { status: 401, code: 'unauthorized', message: 'The API key is missing or not valid.' },
  forbidden: { status: 403, code: 'forbidden', message: 'This key may not do that.' },
  ip_not_allowed: { status: 403, code: 'forbidden', message: 'IP not allowed' },
  rate_limited: { status: 429, code: 'rate_limit_exceeded', message: 'Too many requests. Try again later.' },
  unavailable: {
    status: 503,
    code: 'service_unavailable',
    message: 'The token store cannot be reached now.',
  },
  internal: { status: 500, code: 'internal_server_error', message: 'Internal server error' },
}

function tooLarge(reason: string, message: string): Said {
  const limits: Record<string, [number, string]> = {
    url: [414, 'url_too_long'],
    headers: [431, 'too_many_headers'],
  }
  const [status, told] = limits[reason] ?? [413, 'body_too_large']
  return { status, code: 'bad_request', message, reason: told }
}

function invalidData({ entity, issues, message }: AppError): Said {
  const part = entity === 'query' ? 'query' : 'body'
  const errors = issues.length > 0 ? issues : [{ path: [], code: 'invalid_type', message }]
  return {
    status: 400,
    code: 'invalid_data',
    message: part === 'query' ? 'The query is not valid.' : 'The request body is not valid.',
    entity: part,
    errors: errors.map(({ path, code, ...rest }) => ({
      code: innerCodes.has(code) ? code : 'invalid_type',
      ...rest,
      ...(path.length > 0 ? { path: path.map((part) => (part === 'idempotency_key' ? header : part)) } : {}),
    })),
  }
}

/** The codes of single errors that clients know; what an operation finds beyond the schema is one of them too. */
const innerCodes = new Set(['invalid_type', 'invalid_enum', 'invalid_min', 'invalid_max', 'max_length'])
const header = 'Idempotency-Key'

/** Parses by a schema that drops what it does not name; what is wrong is told in Metorial's own codes. */
export function parse(schema: z.ZodObject, raw: unknown, part: 'body' | 'query'): object {
  const given = raw === undefined ? {} : raw
  const found = schema.safeParse(given)
  if (found.success) return found.data
  const issues = found.error.issues.map((issue) => ({
    ...told(issue, given),
    // A query is read into lists, of which its author knows nothing.
    ...(part === 'query' ? { received: 'string' } : {}),
  }))
  throw new AppError('invalid_input', `The ${part} is not valid.`, { entity: part, issues })
}

function told(issue: z.core.$ZodIssue, raw: unknown): Issue {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  switch (issue.code) {
    case 'invalid_type': {
      const received = typeAt(raw, path)
      const message = received === 'undefined' ? 'Required' : issue.message
      return { path, code: 'invalid_type', message, expected: issue.expected, received }
    }
    case 'invalid_value':
      return { path, code: 'invalid_enum', message: issue.message, expected: issue.values.join(' | ') }
    case 'too_small':
      return { path, code: 'invalid_min', message: issue.message, min: Number(issue.minimum) }
    case 'too_big': {
      const code = issue.origin === 'string' ? 'max_length' : 'invalid_max'
      return { path, code, message: issue.message, max: Number(issue.maximum) }
    }
    default:
      return { path, code: 'invalid_type', message: issue.message, received: typeAt(raw, path) }
  }
}

function typeAt(raw: unknown, path: readonly (string | number)[]): string {
  const value = path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null ? (at as Record<string | number, unknown>)[part] : undefined,
    raw,
  )
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}
