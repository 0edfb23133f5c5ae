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

type Words = [message: string, error?: string]

/** What is said alike on both routes. */
const common: Partial<Record<ErrorCode, Words>> = {
  rate_limited: ['Too many requests', 'Try again later'],
  unavailable: ['The service is not available now', 'Try again later'],
  not_found: ['Not found', 'Not Found'],
}

const failed = 'Failed to generate MCP token'

/** A refusal of the public route (docs/contracts/gassapi.md, section 3). */
export function generateRefusal(error: AppError, requestId: string): Answer {
  const { status, headers } = nativeError(error, requestId, false)
  const shown = { ...headers, ...(error.reason === 'method' ? { allow: error.message } : {}) }
  return answerOf(statusOf(error, status), generateWords(error), error.code === 'forbidden' ? {} : shown)
}

function generateWords({ code, reason, message, issues }: AppError): Words {
  if (code === 'forbidden' && reason === 'foreign') return ['Host not allowed', 'Forbidden']
  if (code === 'forbidden')
    return ['Project not found or access denied', 'Access denied: Project access denied']
  if (code === 'unauthenticated') return ['Login failed', 'Invalid credentials']
  if (code === 'unsupported' && reason === 'method') return ['Method not allowed. Use POST.']
  if (reason === 'json' || reason === 'complex' || code === 'unsupported') return ['Invalid JSON input']
  if (code === 'too_large') return ['Request body too large']
  if (code === 'invalid_input' && reason === undefined && issues.length === 0) return [message]
  if (code === 'invalid_input' || code === 'conflict' || code === 'already_done') return [failed, message]
  return common[code] ?? [failed, 'Internal error']
}

/** A refusal of `/mcp/validate` (docs/contracts/gassapi.md, section 6). */
export function word(error: AppError, { requestId, sent }: Moment): Answer {
  const { status, headers } = nativeError(error, requestId, sent)
  const allow = error.reason === 'method' ? { allow: error.message } : {}
  const shown = error.code === 'forbidden' ? {} : { ...headers, ...allow }
  return answerOf(statusOf(error, status), validateWords(error), shown)
}

function validateWords({ code, reason, message }: AppError): Words {
  if (code === 'unauthenticated') return ['Invalid token', 'Unauthorized']
  if (code === 'ip_not_allowed') return ['IP not allowed', 'Forbidden']
  if (code === 'forbidden' && reason === 'foreign') return ['Host or Origin not allowed', 'Forbidden']
  if (code === 'unsupported' && reason === 'method') return ['Method not allowed. Use GET.']
  if (code === 'too_large') return [message, 'Bad Request']
  return common[code] ?? ['Internal error', 'Internal error']
}

function statusOf({ code, reason }: AppError, native: number): number {
  if (reason === 'complex') return 400
  return code === 'unsupported' && reason !== 'method' ? 400 : native
}

function answerOf(status: number, [message, error]: Words, headers: Record<string, string>): Answer {
  return { status, body: { success: false, message, ...(error === undefined ? {} : { error }) }, headers }
}

/** No JSON in the body, or nothing in it. */
export function invalidJson(): AppError {
  return new AppError('invalid_input', 'Invalid JSON input', { reason: 'json' })
}

/** Another method than the one there is. */
export function methodNotAllowed(): AppError {
  return new AppError('unsupported', 'POST, OPTIONS', { reason: 'method' })
}
