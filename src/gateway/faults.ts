import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { RpcFailure } from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import { UpstreamFault, type UpstreamProblem } from './conduit.ts'

/** The code of every error that stands for a server which did not do its part. */
const upstreamCode = -32020

/** The code of a refusal, as the documented bodies have it (mctx contract, section 9). */
export const refusedCode = -32003

const sentences: Record<UpstreamProblem, string> = {
  not_configured: 'has no program and no address yet; an admin sets one with set_server_upstream.',
  commands_off: 'is a program, and this gateway was started without --allow-commands.',
  fenced: 'has an address this gateway may not ask; its operator lists the host with --allow-upstream.',
  unreachable: 'cannot be reached now. Try again later.',
  timeout: 'did not answer in time. It may have carried out the call; read the state before you repeat it.',
  crashed:
    'is not running. If it ended during the call it may have carried it out; read the state before you repeat it.',
  garbage: 'answered with something that is no MCP.',
  too_large: 'sent a message that is too large.',
  unauthorized: 'does not accept the credentials that are stored for it; an admin sets new ones.',
  refused: 'refused the request.',
  session_ended: 'has ended its session. Start a new one.',
  busy: 'cannot be started now: all places for programs are taken. Try again later.',
}

/** The answer to a request whose server did not do its part; the details stay in the log. */
export function faultAnswer(id: RequestId, server: string, { problem }: UpstreamFault): RpcFailure {
  const message = `The server "${server}" ${sentences[problem] ?? sentences.refused}`
  return { jsonrpc: '2.0', id, error: { code: upstreamCode, message, data: { server, reason: problem } } }
}

/** An error answer to one request. */
export function failure(id: RequestId, code: number, message: string, data?: object): RpcFailure {
  return { jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } }
}

/** The answer to a request nobody knows the method of. */
export function unknownMethod(id: RequestId): RpcFailure {
  return failure(id, rpc.method, 'Method not found')
}

/** Whatever went wrong as a fault of the upstream. */
export function asFault(error: unknown): UpstreamFault {
  return error instanceof UpstreamFault ? error : new UpstreamFault('unreachable', String(error))
}
