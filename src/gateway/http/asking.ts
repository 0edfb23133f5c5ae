import type { IncomingMessage } from 'node:http'
import type { JSONRPCMessage, JSONRPCRequest } from '@modelcontextprotocol/sdk/types.js'
import { UpstreamFault } from '../conduit.ts'
import { exchange, type Sink } from './exchange.ts'
import { isRepeatable, type Line, posted } from './line.ts'
import { answers } from './messages.ts'
import { faultOfStatus, refusalMessages } from './refusal.ts'
import { type Place, resume } from './resuming.ts'
import { eventSink, jsonSink, refusalSink, typeOf } from './sinks.ts'

/** How long a stream may stay open behind its answer, ms. */
const afterAnswer = 2_000

/** The answers by which servers of the protocol before this one say that they are such. */
const older = [400, 404, 405]

/**
 * Posts a request. Its answer is heard by the line, or that there will be none; `initialize` that is refused in the way
 * of older servers goes to `fallBack` instead.
 */
export function ask(
  line: Line,
  message: JSONRPCRequest,
  fallBack: (initialize: JSONRPCRequest, fault: UpstreamFault) => void,
): void {
  const { id } = message
  const { session, waiting, running } = line
  const first = message.method === 'initialize'
  const body = JSON.stringify(message)
  let place: Place | undefined
  let refused: number | undefined
  let lingering: NodeJS.Timeout | undefined

  const take = (answer: JSONRPCMessage) => {
    if (first && answers(answer, id)) session.agree(answer)
    line.hear(answer, id)
    // What is left of its stream belongs to nobody; a server that keeps it open keeps a connection.
    if (place !== undefined && answers(answer, id)) lingering ??= setTimeout(() => abort(), afterAnswer)
  }

  const refuse = (status: number): Sink =>
    refusalSink((text) => {
      refused = status
      if (line.ended(status, text)) return
      for (const answer of refusalMessages(status, text)) if (answers(answer, id)) take(answer)
    })

  const head = (response: IncomingMessage): Sink => {
    const status = response.statusCode ?? 0
    if (status < 200 || status > 299) return refuse(status)
    if (first) session.begin(response)
    const type = typeOf(response)
    if (type === 'application/json') return jsonSink(take)
    if (type !== 'text/event-stream')
      throw new UpstreamFault('garbage', `It answered ${status} with neither JSON nor an event stream.`)
    const stream = eventSink({ message: take })
    place = stream
    return stream
  }

  const over = (fault: UpstreamFault | undefined) => {
    clearTimeout(lingering)
    running.delete(id)
    if (!waiting.has(id)) return
    if (refused !== undefined) {
      const why = faultOfStatus(refused)
      if (!first || session.held() || !older.includes(refused)) return line.fail(id, why)
      waiting.delete(id)
      return fallBack(message, why)
    }
    const cut = fault ?? unanswered(place !== undefined)
    if (place === undefined || cut.problem !== 'crashed' || !resume(line, id, place, cut)) line.fail(id, cut)
  }

  waiting.add(id)
  const abort = exchange(
    line.site,
    {
      method: 'POST',
      headers: posted(session, body),
      body,
      silenceMs: line.timeoutMs,
      repeatable: isRepeatable(message),
    },
    { head, over },
  )
  // It may be over already, where not even the first step could be done.
  if (waiting.has(id)) running.set(id, abort)
}

function unanswered(streamed: boolean): UpstreamFault {
  return streamed
    ? new UpstreamFault('crashed', 'It ended its answer stream without the answer.')
    : new UpstreamFault('garbage', 'It answered something else than what it was asked.')
}
