import type { AppError } from '../core/errors.ts'

/** A command with exit codes of its own: one for everything that goes wrong, or one for each thing it can find. */
export class CommandFailed extends Error {
  readonly refusal: AppError
  readonly exit: number

  constructor(refusal: AppError, exit = 1) {
    super(refusal.message, { cause: refusal })
    this.name = 'CommandFailed'
    this.refusal = refusal
    this.exit = exit
  }
}
