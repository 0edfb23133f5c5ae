import { z } from 'zod'
import type { AppError, ErrorCode } from '../../core/errors.ts'
import { secretPattern } from '../../domain/secret.ts'
import type { Answer } from '../../http/answer.ts'
import { nativeError } from '../../http/errors.ts'
import type { Moment } from '../dialect.ts'

/** The body of every refusal (mctx:wire:error:envelope). */
export const refusal = z.object({
  jsonrpc: z.literal('2.0'),
  error: z.object({ code: z.int(), message: z.string() }),
  id: z.null(),
})

/** What an edit is told that would change the servers (mctx:tokens:edit:servers-refused). */
export const serversFixed = 'the servers of a token cannot be changed; create a new token'

/** Code and message that say the same whatever the cause (mctx:wire:error:envelope). */
const fixed: Partial<Record<ErrorCode, [code: number, message: string]>> = {
  unauthenticated: [-32001, 'Unauthorized'],
  forbidden: [-32003, 'Forbidden'],
  ip_not_allowed: [-32003, 'IP Not Allowed'],
  not_found: [-32004, 'Not Found'],
  too_large: [-32600, 'Request too large'],
  rate_limited: [-32029, 'Too Many Requests'],
  unavailable: [-32603, 'Service Unavailable'],
}

const conflicts: Record<string, string> = {
  revoked: 'the token is revoked',
  expired: 'the token is expired',
  race: 'the token was changed at the same time',
  max_lifetime_days: 'the token outlives max_lifetime_days; shorten it with PATCH first',
  require_expiry: 'the token has no expiry, which require_expiry wants; set one with PATCH first',
  require_allowed_ips:
    'the token has no address list, which require_allowed_ips wants; set one with PATCH first',
  max_live_tokens_per_owner:
    'the owner has as many live tokens as max_live_tokens_per_owner allows; revoke one first',
  other_body: 'the Idempotency-Key was sent with another request before',
}

/** An error as pipelines made for mctx read it. */
export function word(error: AppError, { requestId, sent }: Moment): Answer {
  const native = nativeError(error, requestId, sent)
  const { status = native.status, code, message } = said(error)
  const headers = error.reason === 'method' ? { allow: error.message } : native.headers
  return { status, body: { jsonrpc: '2.0', error: { code, message }, id: null }, headers }
}

interface Said {
  status?: number
  code: number
  message: string
}

function said(error: AppError): Said {
  const { code, reason = '', id = '' } = error
  if (reason === 'json') return { status: 400, code: -32700, message: 'Parse error' }
  if (reason === 'method') return { status: 405, code: -32600, message: 'Method Not Allowed' }
  if (code === 'invalid_input' || reason === 'complex' || reason === 'media_type')
    return { status: 400, code: -32602, message: `Invalid params: ${wrong(error)}` }
  if (code === 'already_done') return { status: 409, code: -32009, message: `Conflict: already_done ${id}` }
  if (code === 'conflict') {
    return {
      status: 409,
      code: -32009,
      message: `Conflict: ${conflicts[reason] ?? 'another change came first'}`,
    }
  }
  const told = fixed[code]
  return told === undefined
    ? { status: 500, code: -32603, message: 'Internal error' }
    : { code: told[0], message: told[1] }
}

/** The first thing wrong, as `<field> <rule>`. */
function wrong({ issues, message, field = '' }: AppError): string {
  const told = issues.find((issue) => issue.message === serversFixed) ?? issues[0]
  if (told === undefined) {
    const sentence = message.replace(`${field}: `, `${field} `).replace(/\.$/, '')
    return sentence.charAt(0).toLowerCase() + sentence.slice(1)
  }
  if (told.message === serversFixed) return serversFixed
  const place = told.path.join('.')
  if (told.code === 'unknown_member') return `${place} is not a field of this request`
  return `${place === 'idempotency_key' ? 'Idempotency-Key' : place} ${told.message}`.trim()
}

/** What a caller wrote, where it can be no secret, so that a refusal names it. */
export function shown(text: string): string {
  const plain = /^[\w.:/%* -]{1,45}$/.test(text) && text.search(secretPattern) === -1
  return plain ? text.trim() : '(an entry that is not shown)'
}
