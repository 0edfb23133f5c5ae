import { z } from 'zod'
import { AppError, errorCodes } from '../../core/errors.ts'
import type { Answer } from '../../http/answer.ts'
import { nativeError } from '../../http/errors.ts'

/** Verdicts on a good token that may not do what is asked. */
const verdicts = ['server_not_in_scope', 'tool_not_in_scope', 'limit_reached'] as const

/** The body of every refusal of forward-auth; one for each code, so that it tells nothing else. */
export const forwardRefusal = z.object({
  error: z.enum([...errorCodes, ...verdicts]),
  detail: z.string(),
})

/**
 * A refusal of forward-auth; `sent` says whether a credential came (security R33). No scope is named that a client could
 * start an authorization for, which cannot succeed; of a limit its own headers tell.
 */
export function forwardError(error: unknown, requestId: string, sent: boolean): Answer {
  const { status, body, headers } = nativeError(error, requestId, sent)
  const reason = error instanceof AppError ? verdicts.find((one) => one === error.reason) : undefined
  return {
    status,
    body: { error: reason ?? body.error, detail: body.detail },
    headers: status === 403 || reason === 'limit_reached' ? {} : headers,
  }
}
