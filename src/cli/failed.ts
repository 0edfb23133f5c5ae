import type { AppError } from '../core/errors.ts'

/** A command whose contract knows one exit code for everything that goes wrong. */
export class CommandFailed extends Error {
  readonly refusal: AppError
  readonly exit = 1

  constructor(refusal: AppError) {
    super(refusal.message, { cause: refusal })
    this.name = 'CommandFailed'
    this.refusal = refusal
  }
}
