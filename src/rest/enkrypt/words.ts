import { z } from 'zod'
import type { Actor } from '../../core/actor.ts'
import { AppError, type ErrorCode } from '../../core/errors.ts'
import type { Answer } from '../../http/answer.ts'
import { nativeError } from '../../http/errors.ts'
import type { Moment } from '../dialect.ts'

/** The body of every refusal (enkrypt:wire:error:envelope). */
export const refusal = z.object({
  error: z.string().describe('The title of the status.'),
  detail: z.string(),
  timestamp: z.string().describe('ISO 8601, UTC.'),
})

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Payload Too Large',
  414: 'URI Too Long',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** What this dialect says of a code whatever the cause. */
const constant: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'Invalid or missing API key',
  ip_not_allowed: 'IP not allowed',
  internal: 'Internal server error',
}

const missing: Record<string, string> = {
  endpoint: 'Route not found',
  configuration: 'Configuration not found',
  project: 'Project not found',
  user: 'User not found',
  member: 'The user is not a member of this project',
  server: 'Server not found',
  'user key': 'API key not found',
}

/** An error as clients of the Enkrypt gateway read it (enkrypt:wire:error:envelope). */
export function word(error: AppError, { requestId, sent, now }: Moment): Answer {
  const native = nativeError(error, requestId, sent)
  const status = statusOf(error, native.status)
  const allow = status === 405 ? { allow: error.message } : {}
  return {
    status,
    body: { error: titles[status] ?? 'Error', detail: detailOf(error), timestamp: now },
    headers: { ...native.headers, ...allow },
  }
}

function statusOf({ code, reason }: AppError, native: number): number {
  if (code === 'too_large' && reason === 'complex') return 400
  if (code === 'gone') return 404
  if (code === 'unsupported') return reason === 'method' ? 405 : 400
  return native
}

/** A project without a configuration is there, and says so (enkrypt:projects:config:none). */
const noConfig = 'No configuration is assigned to this project'

function detailOf({ code, reason, entity = '', message }: AppError): string {
  if (code === 'forbidden')
    return reason === 'foreign' ? 'Host or Origin not allowed' : 'This key may not do that'
  if (code === 'not_found' && reason === 'none_assigned') return noConfig
  if (code === 'not_found' || code === 'gone') return missing[entity] ?? message
  if (code === 'unsupported' && reason === 'method') return `This route takes ${message}`
  return constant[code] ?? message
}

/** What a user key does not own it may not touch, whether it exists or not (enkrypt:userkey:other:forbidden). */
export function ofUserKey(error: AppError, actor: Actor): AppError {
  const { code, entity = '', reason } = error
  const foreign = code === 'not_found' && ['configuration', 'project'].includes(entity)
  // Its own project without a configuration is its own all the same.
  if (actor.kind !== 'user_key' || !foreign || reason === 'none_assigned') return error
  return new AppError('forbidden', 'Not in reach of this key.')
}
