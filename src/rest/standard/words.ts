import { z } from 'zod'
import { AppError, type ErrorCode } from '../../core/errors.ts'
import type { Answer } from '../../http/answer.ts'
import { nativeError } from '../../http/errors.ts'

/** The error codes of OAuth that are answered here (RFC 6749, 5.2; RFC 6750, 3.1). */
const oauthCodes = [
  'invalid_request',
  'invalid_client',
  'insufficient_scope',
  'access_denied',
  'temporarily_unavailable',
  'server_error',
] as const

/** The body of every refusal of the endpoints of OAuth. */
export const oauthRefusal = z.object({
  error: z.enum(oauthCodes),
  error_description: z.string().describe('One sentence that says what to do.'),
})

type OauthCode = (typeof oauthCodes)[number]

const codes: Partial<Record<ErrorCode, OauthCode>> = {
  unauthenticated: 'invalid_client',
  forbidden: 'insufficient_scope',
  ip_not_allowed: 'access_denied',
  rate_limited: 'temporarily_unavailable',
  unavailable: 'temporarily_unavailable',
  internal: 'server_error',
}

const whoIsAsked =
  'Send a management key as "Authorization: Bearer <key>", or its id and itself by HTTP Basic.'

/** A refusal in the words of OAuth; `sent` says whether a credential came (security R33). */
export function oauthError(error: unknown, requestId: string, sent: boolean): Answer {
  const known = error instanceof AppError ? error : undefined
  const { status, headers, body } = nativeError(error, requestId, sent)
  if (known?.code === 'unauthenticated') {
    const challenge = `${headers['www-authenticate']}, Basic realm="tokenwright", charset="UTF-8"`
    return refused(status, 'invalid_client', whoIsAsked, { 'www-authenticate': challenge })
  }
  const isForeign = known?.reason === 'foreign'
  const code = isForeign ? 'access_denied' : (codes[known?.code ?? 'internal'] ?? 'invalid_request')
  return refused(status, code, body.detail, headers)
}

function refused(
  status: number,
  error: OauthCode,
  error_description: string,
  headers: Record<string, string>,
): Answer {
  return { status, body: { error, error_description }, headers }
}
