import { AppError } from './errors.ts'
import type { AnyOperation } from './operation.ts'

/** Rules of a policy that whoever makes a token keeps by giving a member more. */
const kept = new Set(['max_lifetime_days', 'require_expiry', 'require_allowed_ips'])

/**
 * A refusal by policy with what to give instead, where the operation has that member. The sentence before it is the same for
 * every dialect, which names it differently or not at all.
 */
export function withMend(operation: AnyOperation, error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'invalid_input') return error
  const { code, message, field, reason } = error
  if (field === undefined || !kept.has(reason ?? '') || !(field in operation.input.shape)) return error
  return new AppError(code, `${message} Give ${field}.`, { field, reason: reason ?? '', cause: error })
}
