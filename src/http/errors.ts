import { z } from 'zod'
import { AppError, type ErrorCode, errorCodes, type Issue } from '../core/errors.ts'
import { shared } from '../core/fields.ts'

const statuses: Record<ErrorCode, number> = {
  invalid_input: 400,
  unauthenticated: 401,
  forbidden: 403,
  ip_not_allowed: 403,
  not_found: 404,
  conflict: 409,
  already_done: 409,
  gone: 410,
  too_large: 413,
  rate_limited: 429,
  unsupported: 501,
  unavailable: 503,
  internal: 500,
}

/** What HTTP tells apart and our codes do not. */
const statusOfReason: Record<string, number> = { media_type: 415, method: 405, url: 414, headers: 431 }

const retryAfter: Partial<Record<ErrorCode, string>> = { rate_limited: '60', unavailable: '5' }

/** An error as our own routes answer it. */
export interface NativeError {
  status: number
  body: { error: ErrorCode; detail: string; request_id: string; issues?: Issue[] }
  headers: Record<string, string>
}

const issue = z.object({
  path: z.array(z.union([z.string(), z.int()])),
  code: z.string(),
  message: z.string(),
})

/** The body of an error, for the documentation. */
export const nativeErrorBody = z.object({
  error: z.enum(errorCodes),
  detail: z.string().describe('One sentence that says what to do.'),
  request_id: z.string().describe('Tell it to the operator.'),
  issues: z.array(issue).optional().describe('Everything wrong with the input.'),
})

shared.add(nativeErrorBody, { id: 'Error' })

/**
 * The answer to an error on our own routes; of anything that is no refusal only the request id is told.
 * `tokenSent` decides between the two forms of WWW-Authenticate (security R33).
 */
export function nativeError(error: unknown, requestId: string, tokenSent?: boolean): NativeError {
  if (!(error instanceof AppError)) {
    const detail = `Internal error. Tell the operator the request id ${requestId}.`
    return { status: 500, body: { error: 'internal', detail, request_id: requestId }, headers: {} }
  }
  const { code, message, issues, reason } = error
  const body = { error: code, detail: message, request_id: requestId }
  return {
    status: (reason === undefined ? undefined : statusOfReason[reason]) ?? statuses[code],
    body: code === 'invalid_input' && issues.length > 0 ? { ...body, issues } : body,
    headers: headersOf(error, tokenSent ?? reason === 'invalid_token'),
  }
}

function headersOf(error: AppError, tokenSent: boolean): Record<string, string> {
  const { code, entity, reason } = error
  // A token whose uses are all used up waits in vain.
  const usual = reason === 'limit_reached' ? undefined : retryAfter[code]
  const wait = error.retry_after?.toString() ?? usual
  if (wait !== undefined) return { 'retry-after': wait }
  if (code === 'unauthenticated') {
    return { 'www-authenticate': tokenSent ? 'Bearer error="invalid_token"' : 'Bearer' }
  }
  if (code === 'forbidden' && reason !== 'foreign' && reason !== 'project') {
    const scope = entity === undefined ? '' : `, scope="${entity}"`
    return { 'www-authenticate': `Bearer error="insufficient_scope"${scope}` }
  }
  return reason === 'method' ? { allow: 'POST' } : {}
}
