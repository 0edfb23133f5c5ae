import { credentialOf } from './bearer.ts'
import { makeDecide } from './decide.ts'
import { type AuthInfo, authInfoOf } from './identity.ts'
import type { GuardOptions } from './options.ts'
import type { Refused } from './refusals.ts'

type WithMessage = new (message: string) => Error

/** The module of errors of `@modelcontextprotocol/sdk` (`…/server/auth/errors.js`). */
export interface SdkErrors {
  InvalidTokenError: WithMessage
  InsufficientScopeError: WithMessage
  TooManyRequestsError: WithMessage
  ServerError: WithMessage
}

/** The class of errors of `@modelcontextprotocol/server`, by code. */
export interface SdkError {
  OAuthError: new (code: never, message: string) => Error
}

export interface VerifierOptions extends GuardOptions {
  /** The errors of the SDK in use: its middleware knows a refusal by their classes, and only its own. */
  errors: SdkErrors | SdkError
  /** The address of the caller, which the middleware does not hand over. Unless given, tokens bound to addresses are refused. */
  address?: (() => string | undefined) | undefined
}

/**
 * For `requireBearerAuth` of the MCP SDKs, as its `verifier`. A token that is no good is 401, one for something else 403,
 * one at its limit 400 (the middleware has no 429), and 500 tells that Tokenwright could not be asked.
 */
export function tokenVerifier(options: VerifierOptions): {
  verifyAccessToken(token: string): Promise<AuthInfo>
} {
  const { errors, address } = options
  const raise = raiser(errors)
  const decide = makeDecide(options)
  return {
    async verifyAccessToken(token) {
      const decision = await decide(credentialOf(token), () => ({ ip: address?.() }))
      if (decision.allowed) return authInfoOf(token, decision.identity)
      throw raise(decision)
    },
  }
}

const kinds = {
  401: ['InvalidTokenError', 'invalid_token'],
  403: ['InsufficientScopeError', 'insufficient_scope'],
  429: ['TooManyRequestsError', 'too_many_requests'],
  503: ['ServerError', 'server_error'],
} as const

function raiser(errors: SdkErrors | SdkError): (refused: Refused) => Error {
  // The module has an OAuthError too, of another form.
  if ('InvalidTokenError' in errors) {
    return ({ status, detail }) => new errors[kinds[status][0]](quotable(detail))
  }
  if (typeof errors?.OAuthError !== 'function') throw new TypeError('errors: give the errors of the MCP SDK')
  return ({ status, detail }) => new errors.OAuthError(kinds[status][1] as never, quotable(detail))
}

// The middleware puts it between quotes into a header.
function quotable(detail: string): string {
  return detail.replaceAll('"', "'")
}
