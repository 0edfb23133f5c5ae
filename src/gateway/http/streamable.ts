import type { IncomingMessage } from 'node:http'
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { type Conduit, type Hears, UpstreamFault } from '../conduit.ts'
import { listenTo } from './background.ts'
import { exchange, type Sink } from './exchange.ts'
import { answers, isRequest } from './messages.ts'
import { endsSession, faultOfStatus, refusalMessages } from './refusal.ts'
import { makeSession } from './session.ts'
import { eventSink, jsonSink, refusalSink, typeOf, unread } from './sinks.ts'
import type { Site } from './site.ts'

/** A conduit that can also let go of one request. */
export interface HttpConduit extends Conduit {
  /** Ends the request with this id without a word about it, whether or not its answer has come. */
  abort(id: RequestId): void
}

export interface StreamableOptions {
  timeoutMs: number
  /** Takes over a conversation whose `initialize` was refused with 400, 404 or 405, as older servers do. */
  fallBack(initialize: JSONRPCRequest, fault: UpstreamFault): void
}

const accepted = ['accept', 'application/json, text/event-stream', 'content-type', 'application/json']
/** What does no harm if it arrives twice. */
const repeatable =
  /^(?:initialize|ping|notifications\/.*|[a-z/]+\/(?:list|read|get|complete|setLevel|subscribe))$/
const closingMs = 2_000
/** How often an answer that was cut off is asked for again without getting anything more of it. */
const resumptions = 2

/** A conversation over streamable HTTP: each message a POST, what belongs to none by a GET (MCP 2025-03-26 and later). */
export function makeStreamable(site: Site, options: StreamableOptions, hears: Hears): HttpConduit {
  const { timeoutMs } = options
  const session = makeSession()
  const waiting = new Set<RequestId>()
  const running = new Map<RequestId | object, () => void>()
  let over: UpstreamFault | undefined
  let stopListening: (() => void) | undefined

  const hear = (message: JSONRPCMessage, within?: RequestId) => {
    if (over !== undefined) return
    if (!('method' in message) && message.id !== undefined) waiting.delete(message.id)
    hears.message(message, within)
  }

  const letGo = (fault: UpstreamFault) => {
    over = fault
    stopListening?.()
    for (const abort of running.values()) abort()
    running.clear()
    waiting.clear()
  }

  const finish = (fault: UpstreamFault) => {
    if (over !== undefined) return
    letGo(fault)
    hears.closed(fault)
  }

  const ended = (status: number, text: string): boolean => {
    if (!session.held() || !endsSession(status, text)) return false
    finish(new UpstreamFault('session_ended', `It answered ${status}: it has ended the session.`))
    return true
  }

  const fail = (id: RequestId, fault: UpstreamFault) => {
    running.delete(id)
    if (waiting.delete(id)) hears.failed(id, fault)
  }

  /** Asks for the rest of an answer that was cut off, as long as something more of it comes. */
  const resume = (id: RequestId, after: string, waitMs: number, left: number, fault: UpstreamFault) => {
    let stream: ReturnType<typeof eventSink> | undefined
    let wait = waitMs
    const timer = setTimeout(
      () => {
        running.set(
          id,
          exchange(
            site,
            {
              method: 'GET',
              headers: ['accept', 'text/event-stream', 'last-event-id', after, ...session.headers()],
              silenceMs: timeoutMs,
              repeatable: true,
            },
            {
              head(response) {
                if (response.statusCode !== 200 || typeOf(response) !== 'text/event-stream') throw fault
                stream = eventSink(
                  {
                    message: (message) => hear(message, id),
                    retry: (ms) => {
                      wait = ms
                    },
                  },
                  after,
                )
                return stream
              },
              over(cut) {
                running.delete(id)
                if (!waiting.has(id)) return
                const next = resumable(stream?.lastId())
                const more = next === undefined || next === after ? left - 1 : resumptions
                if (next === undefined || more < 0 || cut?.problem === 'garbage') fail(id, cut ?? fault)
                else resume(id, next, wait, more, fault)
              },
            },
          ),
        )
      },
      Math.min(waitMs, timeoutMs),
    )
    running.set(id, () => clearTimeout(timer))
  }

  const ask = (message: JSONRPCRequest) => {
    const { id } = message
    const first = message.method === 'initialize'
    const body = JSON.stringify(message)
    let stream: ReturnType<typeof eventSink> | undefined
    let wait = 0
    let refused: { status: number; fault: UpstreamFault } | undefined
    const take = (answer: JSONRPCMessage) => {
      if (first && answers(answer, id)) session.agree(answer)
      hear(answer, id)
    }
    const head = (response: IncomingMessage): Sink => {
      const status = response.statusCode ?? 0
      if (status < 200 || status > 299) {
        return refusalSink((text) => {
          refused = { status, fault: faultOfStatus(status) }
          if (ended(status, text)) return
          for (const answer of refusalMessages(status, text)) if (answers(answer, id)) take(answer)
        })
      }
      if (first) session.begin(response)
      const type = typeOf(response)
      if (type === 'application/json') return jsonSink(take)
      if (type !== 'text/event-stream')
        throw new UpstreamFault('garbage', `It answered ${status} with neither JSON nor an event stream.`)
      stream = eventSink({
        message: take,
        retry: (ms) => {
          wait = ms
        },
      })
      return stream
    }
    waiting.add(id)
    const abort = exchange(
      site,
      {
        method: 'POST',
        headers: posted(body),
        body,
        silenceMs: timeoutMs,
        repeatable: repeatable.test(message.method),
      },
      {
        head,
        over(fault) {
          running.delete(id)
          if (!waiting.has(id)) return
          if (refused !== undefined) {
            if (first && !session.held() && [400, 404, 405].includes(refused.status)) {
              waiting.delete(id)
              return options.fallBack(message, refused.fault)
            }
            return fail(id, refused.fault)
          }
          const unanswered = fault ?? new UpstreamFault('garbage', 'It ended its answer without answering.')
          const after = resumable(stream?.lastId())
          if (after === undefined || (fault !== undefined && fault.problem !== 'unreachable'))
            fail(id, unanswered)
          else resume(id, after, wait, resumptions, unanswered)
        },
      },
    )
    if (waiting.has(id)) running.set(id, abort)
  }

  const tell = (message: JSONRPCMessage) =>
    new Promise<void>((resolve, reject) => {
      const body = JSON.stringify(message)
      const key = {}
      let refused: UpstreamFault | undefined
      const abort = exchange(
        site,
        {
          method: 'POST',
          headers: posted(body),
          body,
          silenceMs: timeoutMs,
          repeatable: !('method' in message) || repeatable.test(message.method),
        },
        {
          head(response) {
            const status = response.statusCode ?? 0
            if (status >= 200 && status < 300) {
              resolve()
              return unread()
            }
            return refusalSink((text) => {
              refused = faultOfStatus(status)
              ended(status, text)
            })
          },
          over(fault) {
            running.delete(key)
            const wrong = over ?? fault ?? refused
            wrong === undefined ? resolve() : reject(wrong)
          },
        },
      )
      running.set(key, () => {
        abort()
        reject(over)
      })
    })

  const posted = (body: string) => [
    ...accepted,
    'content-length',
    String(Buffer.byteLength(body)),
    ...session.headers(),
  ]

  return {
    async send(message) {
      if (over !== undefined) throw over
      if (isRequest(message)) ask(message)
      else await tell(message)
    },
    listen() {
      if (over !== undefined || stopListening !== undefined) return
      stopListening = listenTo(site, session, {
        message: (message) => hear(message),
        ended: (status) => void ended(status, ''),
      })
    },
    abort(id) {
      waiting.delete(id)
      running.get(id)?.()
      running.delete(id)
    },
    close() {
      if (over !== undefined) return Promise.resolve()
      letGo(new UpstreamFault('session_ended', 'The conversation was closed.'))
      if (!session.held()) return Promise.resolve()
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          abort()
          resolve()
        }, closingMs)
        const abort = exchange(
          site,
          { method: 'DELETE', headers: session.headers(), silenceMs: closingMs, repeatable: true },
          {
            head: unread,
            over() {
              clearTimeout(timer)
              resolve()
            },
          },
        )
      })
    },
  }
}

/** An event id that can be said in a header. */
function resumable(id: string | undefined): string | undefined {
  return id !== undefined && /^[\x20-\x7e]{1,1024}$/.test(id) ? id : undefined
}
