import { exchange } from './exchange.ts'
import type { Line } from './line.ts'
import type { Place } from './resuming.ts'
import { eventSink, typeOf, unread } from './sinks.ts'

const firstWaitMs = 1_000
const longestWaitMs = 60_000

/**
 * Keeps the stream of what belongs to no request open, and connects again where it broke off, ever more slowly while
 * nothing comes. An upstream that offers none is left alone, also where it says so by 404: whether a session has ended is
 * for the answers to messages to say. Answers what stops it.
 */
export function listenTo(line: Line): () => void {
  let stopped = false
  let abort = () => {}
  let place: Place | undefined
  let wait = firstWaitMs

  const connect = () => {
    let offered = true
    const from = place?.lastId()
    const resumed = from === undefined ? [] : ['last-event-id', from]
    abort = exchange(
      line.site,
      {
        method: 'GET',
        headers: ['accept', 'text/event-stream', ...resumed, ...line.session.headers()],
        silenceMs: undefined,
        repeatable: true,
      },
      {
        head(response) {
          const status = response.statusCode ?? 0
          if (status === 200 && typeOf(response) === 'text/event-stream') {
            const message = (message: Parameters<Line['hear']>[0]) => {
              wait = firstWaitMs
              line.hear(message)
            }
            const stream = eventSink({ message }, from)
            place = stream
            return stream
          }
          // What stands before a server that starts again says 502 to 504 for a while.
          offered = status >= 500
          return unread()
        },
        over() {
          if (stopped || !offered) return
          const timer = setTimeout(connect, Math.min(longestWaitMs, Math.max(wait, place?.retryMs() ?? 0)))
          timer.unref()
          abort = () => clearTimeout(timer)
          wait = Math.min(longestWaitMs, wait * 2)
        },
      },
    )
  }

  connect()
  return () => {
    stopped = true
    abort()
  }
}
