import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { UpstreamFault } from '../conduit.ts'
import { exchange } from './exchange.ts'
import type { Line } from './line.ts'
import { eventSink, typeOf } from './sinks.ts'

/** How far an event stream has been read, and what it asked for. */
export interface Place {
  /** The last id, if it is one that a header may hold. */
  lastId(): string | undefined
  /** How long to wait before connecting again. */
  retryMs(): number | undefined
}

const usualWaitMs = 500
/** How often in a row the rest of an answer is asked for without getting anything more of it. */
const attempts = 2

/**
 * Asks for the rest of an answer whose stream ended too early, as long as more of it comes; false if the stream has
 * told no place to go on from.
 */
export function resume(
  line: Line,
  id: RequestId,
  place: Place,
  fault: UpstreamFault,
  left = attempts,
): boolean {
  const from = place.lastId()
  if (from === undefined || left === 0) return false
  const { running, waiting } = line
  let next: Place | undefined

  const connect = () =>
    exchange(
      line.site,
      {
        method: 'GET',
        headers: ['accept', 'text/event-stream', 'last-event-id', from, ...line.session.headers()],
        silenceMs: line.timeoutMs,
        repeatable: true,
      },
      {
        head(response) {
          if (response.statusCode !== 200 || typeOf(response) !== 'text/event-stream') throw fault
          const stream = eventSink({ message: (message) => line.hear(message, id) }, from)
          next = stream
          return stream
        },
        over(cut) {
          running.delete(id)
          if (!waiting.has(id)) return
          const why = cut ?? fault
          const more = next !== undefined && next.lastId() !== from ? attempts : left - 1
          if (why.problem === 'timeout' || !resume(line, id, next ?? place, why, more)) line.fail(id, why)
        },
      },
    )

  const timer = setTimeout(
    () => running.set(id, connect()),
    Math.min(place.retryMs() ?? usualWaitMs, line.timeoutMs),
  )
  running.set(id, () => clearTimeout(timer))
  return true
}
