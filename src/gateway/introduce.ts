import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Entry } from '../core/entries.ts'
import { newRedactions } from '../domain/guardrails/redactions.ts'
import type { RpcAnswer, RpcFailure } from '../http/messages.ts'
import { asFault, faultAnswer } from './faults.ts'
import type { Link } from './link.ts'
import { askServer } from './own-request.ts'
import { screenedAnswer } from './screening.ts'

/** What a server answers to `initialize`. Rejects with `UpstreamFault` or `InitializeRefused`. */
export async function introduce(
  link: Link,
  params: Record<string, unknown>,
  patience: number,
): Promise<Record<string, unknown>> {
  const answer = await askServer(link, { method: 'initialize', params, holder: null, patience })
  if ('result' in answer) return answer.result
  throw new InitializeRefused(answer)
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
export function unopened(id: RequestId, entry: Entry, error: unknown): RpcAnswer {
  return error instanceof InitializeRefused
    ? screenedAnswer(entry, { ...error.answer, id }, newRedactions())
    : faultAnswer(id, entry.slug, asFault(error))
}
