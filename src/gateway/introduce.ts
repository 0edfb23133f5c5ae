import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { UpstreamFault, type UpstreamProblem } from './conduit.ts'
import { asFault, faultAnswer, upstreamCode } from './faults.ts'
import type { Link } from './link.ts'
import { objectIn, type RpcAnswer, type RpcFailure } from './message.ts'
import { askServer } from './own-request.ts'

/** What a server answers to `initialize`. Rejects with `UpstreamFault` or `InitializeRefused`. */
export async function introduce(
  link: Link,
  params: Record<string, unknown>,
  patience: number,
): Promise<Record<string, unknown>> {
  const answer = await askServer(link, { method: 'initialize', params, holder: null, patience })
  if ('result' in answer) return answer.result
  throw refusalOf(answer)
}

/** The server said no to `initialize`; the client is told in its words. */
export class InitializeRefused extends Error {
  readonly answer: RpcFailure

  constructor(answer: RpcFailure) {
    super('initialize refused')
    this.name = 'InitializeRefused'
    this.answer = answer
  }
}

/** The answer to a request where the conversation with its server could not begin. */
export function unopened(id: RequestId, server: string, error: unknown): RpcAnswer {
  return error instanceof InitializeRefused
    ? { ...error.answer, id }
    : faultAnswer(id, server, asFault(error))
}

/** Our own answer in the server's stead is the fault it stands for; any other is the server's word. */
function refusalOf(answer: RpcFailure): Error {
  const { reason } = objectIn({ data: answer.error.data }, 'data')
  return answer.error.code === upstreamCode
    ? new UpstreamFault(reason as UpstreamProblem, answer.error.message)
    : new InitializeRefused(answer)
}
