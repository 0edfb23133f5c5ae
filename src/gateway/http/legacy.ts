import type { IncomingMessage } from 'node:http'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { type Hears, UpstreamFault } from '../conduit.ts'
import { exchange } from './exchange.ts'
import type { HttpConduit, Line } from './line.ts'
import { isRequest } from './messages.ts'
import { faultOfStatus } from './refusal.ts'
import { makeSession } from './session.ts'
import { eventSink, typeOf } from './sinks.ts'
import type { Site } from './site.ts'
import { tell } from './telling.ts'

/**
 * Opens a conversation over HTTP+SSE (MCP 2024-11-05): one stream brings everything, and its first event says where to
 * post. Rejects with `UpstreamFault` if that event does not come.
 */
export function openLegacy(site: Site, timeoutMs: number, hears: Hears): Promise<HttpConduit> {
  return new Promise((resolve, reject) => {
    let conduit: HttpConduit | undefined
    let alive = () => {}
    const giveUp = (fault: UpstreamFault) => {
      clearTimeout(timer)
      stop()
      if (conduit === undefined) return reject(fault)
      void conduit.close()
      hears.closed(fault)
    }
    const begin = (endpoint: Site | undefined) => {
      if (endpoint === undefined)
        throw new UpstreamFault('fenced', 'It wants to be posted to at another origin.')
      clearTimeout(timer)
      const talk = converse(endpoint, timeoutMs, hears, () => stop())
      alive = talk.alive
      conduit = talk.conduit
      hear = talk.hear
      resolve(conduit)
    }
    let hear: Line['hear'] = () => {}
    const head = (response: IncomingMessage) => {
      if (response.statusCode !== 200) throw faultOfStatus(response.statusCode ?? 0)
      if (typeOf(response) !== 'text/event-stream')
        throw new UpstreamFault('garbage', 'It answered no event stream.')
      const stream = eventSink({
        event: ({ name, data }) => name === 'endpoint' && conduit === undefined && begin(site.at(data)),
        message: (message) => hear(message),
      })
      const chunk = (chunk: Buffer) => {
        alive()
        return stream.chunk(chunk)
      }
      return { ...stream, chunk }
    }
    let stop = () => {}
    const late = () => giveUp(new UpstreamFault('timeout', 'It did not say where to post.'))
    const timer = setTimeout(late, timeoutMs)
    stop = exchange(
      site,
      { method: 'GET', headers: ['accept', 'text/event-stream'], silenceMs: undefined, repeatable: true },
      {
        head,
        over: (fault) => giveUp(fault ?? new UpstreamFault('session_ended', 'It has ended its stream.')),
      },
    )
  })
}

/** The conversation once it is known where to post; `alive` tells it that the stream has brought something. */
function converse(site: Site, timeoutMs: number, hears: Hears, stop: () => void) {
  const silences = new Map<RequestId, NodeJS.Timeout>()
  const ended = new UpstreamFault('session_ended', 'The conversation is over.')
  let over: UpstreamFault | undefined
  const answered = (id: RequestId): boolean => {
    clearTimeout(silences.get(id))
    return silences.delete(id)
  }
  const line: Line = {
    site,
    session: makeSession(),
    timeoutMs,
    waiting: new Set(),
    running: new Map(),
    over: () => over,
    hear(message) {
      if (!('method' in message) && message.id !== undefined) answered(message.id)
      if (over === undefined) hears.message(message)
    },
    fail(id, fault) {
      if (answered(id)) hears.failed(id, fault)
    },
    ended: () => false,
  }
  const conduit: HttpConduit = {
    async send(message) {
      if (over !== undefined) throw over
      if (!isRequest(message)) return tell(line, message)
      const { id } = message
      const silent = () => line.fail(id, new UpstreamFault('timeout', `It was silent for ${timeoutMs} ms.`))
      silences.set(id, setTimeout(silent, timeoutMs))
      tell(line, message).catch((fault: UpstreamFault) => line.fail(id, fault))
    },
    listen() {},
    abort: (id) => void answered(id),
    async close() {
      if (over !== undefined) return
      over = ended
      stop()
      for (const abort of line.running.values()) abort()
      for (const id of silences.keys()) answered(id)
    },
  }
  const alive = () => {
    for (const silence of silences.values()) silence.refresh()
  }
  return { conduit, alive, hear: line.hear }
}
