import { z } from 'zod'
import { AppError, type ErrorCode } from '../../core/errors.ts'
import type { Answer } from '../../http/answer.ts'
import { nativeError } from '../../http/errors.ts'
import type { Moment } from '../dialect.ts'

/** The body of every refusal. */
export const refusal = z.object({
  success: z.literal(false),
  message: z.string(),
  error: z.string().optional(),
})

type Told = [status: number, message: string, error?: string]

/** What a route tells of a refusal: by its reason and, where that is not named, by its code. */
interface Words {
  reasons: Record<string, Told>
  codes: Partial<Record<ErrorCode, Told>>
  /** Of anything else. */
  fault: Told
}

/** What comes before any code of the routes, and what comes behind it, is told alike on both. */
const common = {
  reasons: {
    url: [414, 'Request URL too long', 'Bad Request'],
    headers: [431, 'Too many request headers', 'Bad Request'],
  },
  codes: {
    rate_limited: [429, 'Too many requests', 'Try again later'],
    unavailable: [503, 'The service is not available now', 'Try again later'],
  },
} satisfies Omit<Words, 'fault'>

const notJson: Told = [400, 'Invalid JSON input']
const failed = 'Failed to generate MCP token'

/** docs/contracts/gassapi.md, section 3. */
const ofGenerate: Words = {
  reasons: {
    ...common.reasons,
    foreign: [403, 'Host not allowed', 'Forbidden'],
    method: [405, 'Method not allowed. Use POST.'],
    json: notJson,
    complex: notJson,
    media_type: notJson,
    missing: [400, 'Missing required fields: email, password, project_id'],
  },
  codes: {
    ...common.codes,
    too_large: [413, 'Request body too large'],
    unauthenticated: [401, 'Login failed', 'Invalid credentials'],
    forbidden: [403, 'Project not found or access denied', 'Access denied: Project access denied'],
  },
  fault: [500, failed, 'Internal error'],
}

/** docs/contracts/gassapi.md, section 6. */
const ofValidate: Words = {
  reasons: {
    ...common.reasons,
    foreign: [403, 'Host or Origin not allowed', 'Forbidden'],
    method: [405, 'Method not allowed. Use GET.'],
  },
  codes: {
    ...common.codes,
    unauthenticated: [401, 'Invalid token', 'Unauthorized'],
    ip_not_allowed: [403, 'IP not allowed', 'Forbidden'],
    not_found: [404, 'Not found', 'Not Found'],
  },
  fault: [500, 'Internal error', 'Internal error'],
}

/** Refusals that say in their own words why no token was made. */
const ownWords: Partial<Record<ErrorCode, number>> = { invalid_input: 400, conflict: 409, already_done: 409 }

/** A refusal of the public route. */
export function generateRefusal(error: AppError, requestId: string): Answer {
  const own = ownWords[error.code]
  const why: Words['codes'] = own === undefined ? {} : { [error.code]: [own, failed, error.message] }
  const words = { ...ofGenerate, codes: { ...ofGenerate.codes, ...why } }
  return answerOf(words, error, nativeError(error, requestId, false).headers)
}

/** A refusal of `/mcp/validate`. */
export function word(error: AppError, { requestId, sent }: Moment): Answer {
  return answerOf(ofValidate, error, nativeError(error, requestId, sent).headers)
}

function answerOf(
  { reasons, codes, fault }: Words,
  error: AppError,
  headers: Record<string, string>,
): Answer {
  const [status, message, why] = reasons[error.reason ?? ''] ?? codes[error.code] ?? fault
  const body = { success: false, message, ...(why === undefined ? {} : { error: why }) }
  if (error.reason === 'method') return { status, body, headers: { allow: error.message } }
  // No permission is named here: nobody has one to ask for.
  return { status, body, headers: error.code === 'forbidden' ? {} : headers }
}

/** No JSON in the body, or nothing in it. */
export function invalidJson(): AppError {
  return new AppError('invalid_input', 'The body is not JSON, or holds nothing.', { reason: 'json' })
}

/** A field is not there, or is no text. */
export function missingFields(): AppError {
  return new AppError('invalid_input', 'email, password and project_id must be given.', { reason: 'missing' })
}

/** Another method than those there are. */
export function methodNotAllowed(): AppError {
  return new AppError('unsupported', 'POST, OPTIONS', { reason: 'method' })
}
