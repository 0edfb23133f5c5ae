import { holds, type Permission, roles } from './permissions.ts'

/** The closed set of reasons an operation can refuse for; each face maps a code once, to status, exit code or body. */
export const errorCodes = [
  'invalid_input',
  'unauthenticated',
  'forbidden',
  'ip_not_allowed',
  'not_found',
  'conflict',
  'gone',
  'already_done',
  'too_large',
  'rate_limited',
  'unavailable',
  'unsupported',
  'internal',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** One thing wrong with an input: where, and the rule it breaks. */
export interface Issue {
  path: (string | number)[]
  code: string
  message: string
  /** What a dialect tells beside it: types, or the bound that was broken. */
  expected?: string
  received?: string
  min?: number
  max?: number
}

interface ErrorFacts {
  entity?: string
  id?: string
  field?: string
  /** Which rule of state refused, for faces that tell them apart: `revoked`, `expired`, `race`, … */
  reason?: string
  /** Seconds after which the same call may succeed. */
  retry_after?: number
  issues?: Issue[]
  cause?: unknown
}

/** A refusal: a stable code and one sentence its reader can act on; it never holds a secret, a path or SQL. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly entity: string | undefined
  readonly id: string | undefined
  readonly field: string | undefined
  readonly reason: string | undefined
  readonly retry_after: number | undefined
  readonly issues: Issue[]

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, { cause: facts.cause })
    this.name = 'AppError'
    this.code = code
    this.entity = facts.entity
    this.id = facts.id
    this.field = facts.field
    this.reason = facts.reason
    this.retry_after = facts.retry_after
    this.issues = facts.issues ?? []
  }
}

/** The refusal for a thing that does not exist in the caller's scope; the two are told apart to nobody. */
export function notFound(entity: string, id: string, next: string): AppError {
  return new AppError('not_found', `No ${entity} with that id is in your reach. ${next}`, { entity, id })
}

/** The refusal of a credential without the permission that an operation needs. */
export function lacking(operation: string, permission: Permission): AppError {
  const holders = roles.filter((role) => holds(role, permission))
  const who = holders.length === 0 ? '' : `, which a key with the role ${holders.join(' or ')} has`
  const message = `This credential may not call ${operation}; it needs ${permission}${who}.`
  return new AppError('forbidden', message, { entity: permission })
}

/** Ends a change that was only tried: it is rolled back, and what was seen of it comes out. It never leaves the core. */
export class TakenBack extends Error {
  readonly seen: unknown

  constructor(seen: unknown) {
    super('the change was tried only')
    this.name = 'TakenBack'
    this.seen = seen
  }
}

/**
 * Ends a call that has a question to its caller first: nothing was changed, and the same call comes again with the answers
 * (second era of MCP). It is no refusal, so it passes through everything that words refusals.
 */
export class GivenBack extends Error {
  readonly asks: Record<string, object>

  constructor(asks: Record<string, object>) {
    super('the call was given back with a question')
    this.name = 'GivenBack'
    this.asks = asks
  }
}
