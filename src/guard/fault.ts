/** Why Tokenwright could not be asked. */
export type FaultReason = 'unreachable' | 'timeout' | 'key_refused' | 'busy' | 'unexpected'

/** Tokenwright could not be asked, or its answer is none; whatever was to be let in is refused with 503. */
export class GuardError extends Error {
  readonly reason: FaultReason
  /** Status of the answer, if there was one. */
  readonly status: number | undefined
  /** Seconds Tokenwright wants to be left alone. */
  readonly retryAfter: number | undefined

  constructor(
    reason: FaultReason,
    message: string,
    facts: { status?: number; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: facts.cause })
    this.name = 'GuardError'
    this.reason = reason
    this.status = facts.status
    this.retryAfter = facts.retryAfter
  }
}
