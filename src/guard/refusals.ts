import { limitHeaders } from './limit-headers.ts'
import type { LimitState } from './told.ts'

export type RefusalCode = 'unauthenticated' | 'forbidden' | 'ip_not_allowed' | 'rate_limited' | 'unavailable'

/** The token may not, or nobody knows. */
export interface Refused {
  allowed: false
  /** The HTTP status it means. */
  status: 401 | 403 | 429 | 503
  error: RefusalCode
  /** One sentence for the caller; the same for every token that is no good. */
  detail: string
  headers: Record<string, string>
}

/** Every refusal there is. */
export const refusals = {
  /** `sent` says whether a credential came (RFC 6750, 3). */
  unauthenticated: (sent: boolean): Refused =>
    refused(401, 'unauthenticated', 'Send a good token as "Authorization: Bearer <token>".', {
      'www-authenticate': sent ? 'Bearer error="invalid_token"' : 'Bearer',
    }),
  forbidden: (what: 'server' | 'tool'): Refused =>
    refused(403, 'forbidden', `The token is good, but not for this ${what}.`),
  ipNotAllowed: (): Refused =>
    refused(403, 'ip_not_allowed', 'The token is good, but not from this address.'),
  limited: (limit: LimitState | null): Refused =>
    refused(429, 'rate_limited', 'The token has reached its limit.', limitHeaders(limit)),
  unavailable: (retryAfter = 5): Refused =>
    refused(503, 'unavailable', 'The token cannot be checked now. Try again later.', {
      'retry-after': String(retryAfter),
    }),
}

function refused(
  status: Refused['status'],
  error: RefusalCode,
  detail: string,
  headers: Record<string, string> = {},
): Refused {
  return { allowed: false, status, error, detail, headers }
}

/** The words of MCP endpoints. */
const rpcErrors: Record<RefusalCode, { code: number; message: string }> = {
  unauthenticated: { code: -32001, message: 'Unauthorized' },
  forbidden: { code: -32003, message: 'Forbidden' },
  ip_not_allowed: { code: -32003, message: 'IP Not Allowed' },
  rate_limited: { code: -32029, message: 'Too Many Requests' },
  unavailable: { code: -32603, message: 'The token cannot be checked now' },
}

/** A refusal as it goes over the wire. */
export function wired(
  { error, detail, headers }: Refused,
  jsonrpc: boolean,
): { body: string; headers: Record<string, string> } {
  const body = jsonrpc ? { jsonrpc: '2.0', error: rpcErrors[error], id: null } : { error, detail }
  return {
    body: JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    },
  }
}
