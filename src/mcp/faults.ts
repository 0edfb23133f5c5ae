import { AppError, GivenBack } from '../core/errors.ts'
import type { Core } from '../core/invoke.ts'
import { internal, rpc } from '../http/rpc.ts'
import { codeMember, protocolError } from './refusals.ts'
import type { Turn } from './surface.ts'

/** The number clients of the first era know for a resource that is not there; the SDK of the second makes -32602 of it. */
const noResource = -32002

/** The error of a resource that does not exist or is not in the caller's reach; the two are told apart to nobody. */
export function resourceNotFound(uri: string) {
  return protocolError(noResource, 'Resource not found', { uri })
}

/** What a method failed with, as an error of the protocol; of faults of ours the log has the rest (security R32). */
export function worded(core: Core, turn: Turn, error: unknown): unknown {
  if (error instanceof AppError) return wordedRefusal(error)
  if (error instanceof GivenBack || isOfProtocol(error)) return error
  core.report(error, turn.caller)
  return protocolError(rpc.internal, internal)
}

function wordedRefusal({ code, message }: AppError) {
  if (code === 'internal') return protocolError(rpc.internal, internal)
  if (code === 'unauthenticated') return protocolError(-32001, 'Unauthorized', { [codeMember]: code })
  return protocolError(code === 'unavailable' ? rpc.closed : rpc.params, message, { [codeMember]: code })
}

function isOfProtocol(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number'
}
