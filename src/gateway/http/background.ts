import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { exchange } from './exchange.ts'
import type { Session } from './session.ts'
import { eventSink, typeOf, unread } from './sinks.ts'
import type { Site } from './site.ts'

export interface BackgroundHears {
  message(message: JSONRPCMessage): void
  /** The upstream refuses the stream with this status. */
  ended(status: number): void
}

const firstWaitMs = 1_000
const longestWaitMs = 60_000

/**
 * Keeps the stream of what belongs to no request open, and connects again where it broke off, ever more slowly while
 * nothing comes. An upstream that offers none is left alone. Answers what stops it.
 */
export function listenTo(site: Site, session: Session, hears: BackgroundHears): () => void {
  let stopped = false
  let abort = () => {}
  let lastId: string | undefined
  let wait = firstWaitMs
  let asked = 0

  const connect = () => {
    let offered = true
    let stream: ReturnType<typeof eventSink> | undefined
    const resumed = lastId === undefined ? [] : ['last-event-id', lastId]
    abort = exchange(
      site,
      {
        method: 'GET',
        headers: ['accept', 'text/event-stream', ...resumed, ...session.headers()],
        silenceMs: undefined,
        repeatable: true,
      },
      {
        head(response) {
          if (response.statusCode === 200 && typeOf(response) === 'text/event-stream') {
            stream = eventSink(
              {
                message(message) {
                  wait = firstWaitMs
                  hears.message(message)
                },
                retry(ms) {
                  asked = ms
                },
              },
              lastId,
            )
            return stream
          }
          // A gateway in front of a server that starts again says 502 to 504 for a while.
          offered = (response.statusCode ?? 0) >= 500
          if (!offered) hears.ended(response.statusCode ?? 0)
          return unread()
        },
        over() {
          const id = stream?.lastId()
          if (id !== undefined && /^[\x20-\x7e]{1,1024}$/.test(id)) lastId = id
          if (stopped || !offered) return
          const timer = setTimeout(connect, Math.min(longestWaitMs, Math.max(wait, asked)))
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
