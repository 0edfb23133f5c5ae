import { credentialOf } from './bearer.ts'
import { type Asked, type Decision, makeDecide } from './decide.ts'
import type { GuardOptions } from './options.ts'

export type { Allowed, Asked, Decision } from './decide.ts'
export { type FaultReason, GuardError } from './fault.ts'
export { type GuardContext, type GuardVariables, honoGuard } from './hono.ts'
export { type AuthInfo, identityOf, type TokenIdentity } from './identity.ts'
export { type Admitted, expressGuard, nodeGuard } from './node.ts'
export type { GuardOptions, RequestOptions, Tool } from './options.ts'
export type { RefusalCode, Refused } from './refusals.ts'
export { toolOf } from './tool.ts'
export { type SdkError, type SdkErrors, tokenVerifier, type VerifierOptions } from './verifier.ts'

/**
 * Asks about a token by itself, for what the other guards do not know: web sockets, stdio, queues. Never throws; a use is
 * counted for each question.
 */
export function authorizer(options: GuardOptions): (token: string, asked?: Asked) => Promise<Decision> {
  const decide = makeDecide(options)
  return (token, asked = {}) => decide(credentialOf(token), () => asked)
}
