import type { JSONRPCMessage, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { type Hears, UpstreamFault } from '../conduit.ts'
import { ask } from './asking.ts'
import { listenTo } from './background.ts'
import { exchange } from './exchange.ts'
import type { HttpConduit, Line } from './line.ts'
import { isRequest } from './messages.ts'
import { endsSession } from './refusal.ts'
import { makeSession } from './session.ts'
import { unread } from './sinks.ts'
import type { Site } from './site.ts'
import { tell } from './telling.ts'

export interface StreamableOptions {
  timeoutMs: number
  /** Takes over a conversation whose `initialize` was refused with 400, 404 or 405, as older servers do. */
  fallBack(initialize: JSONRPCRequest, fault: UpstreamFault): void
}

const closingMs = 2_000

/** A conversation over streamable HTTP: each message a POST, what belongs to none by a GET (MCP 2025-03-26 and later). */
export function makeStreamable(site: Site, options: StreamableOptions, hears: Hears): HttpConduit {
  const session = makeSession()
  const waiting = new Set<RequestId>()
  const running: Line['running'] = new Map()
  let over: UpstreamFault | undefined
  let stopListening: (() => void) | undefined

  const letGo = (fault: UpstreamFault) => {
    over = fault
    stopListening?.()
    for (const abort of running.values()) abort()
    running.clear()
    waiting.clear()
  }

  const line: Line = {
    site,
    session,
    timeoutMs: options.timeoutMs,
    waiting,
    running,
    over: () => over,
    hear(message, within) {
      if (over !== undefined) return
      if (!('method' in message) && message.id !== undefined) waiting.delete(message.id)
      hears.message(message, within)
    },
    fail(id, fault) {
      if (waiting.delete(id)) hears.failed(id, fault)
    },
    ended(status, text) {
      if (over !== undefined || !session.held() || !endsSession(status, text)) return false
      const fault = new UpstreamFault('session_ended', `It answered ${status}: it has ended the session.`)
      letGo(fault)
      hears.closed(fault)
      return true
    },
  }

  const abort = (id: RequestId) => {
    waiting.delete(id)
    running.get(id)?.()
    running.delete(id)
  }

  return {
    async send(message) {
      if (over !== undefined) throw over
      if (isRequest(message)) return ask(line, message, options.fallBack)
      const cancelled = cancelledBy(message)
      try {
        await tell(line, message)
      } finally {
        // Most servers leave the stream of a request that was cancelled open, and say nothing more on it.
        if (cancelled !== undefined) abort(cancelled)
      }
    },
    listen() {
      if (over === undefined) stopListening ??= listenTo(line)
    },
    abort,
    async close() {
      if (over !== undefined) return
      letGo(new UpstreamFault('session_ended', 'The conversation was closed.'))
      if (session.held()) await farewell(line)
    },
  }
}

/** The request of ours that a message takes back. */
function cancelledBy(message: JSONRPCMessage): RequestId | undefined {
  if (!('method' in message) || message.method !== 'notifications/cancelled') return undefined
  const id = message.params?.['requestId']
  return typeof id === 'string' || typeof id === 'number' ? id : undefined
}

/** Tells the upstream that its session is not needed any more, and does not insist. */
function farewell({ site, session }: Line): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = () => {
      abort()
      resolve()
    }
    const timer = setTimeout(giveUp, closingMs)
    const over = () => {
      clearTimeout(timer)
      resolve()
    }
    const abort = exchange(
      site,
      { method: 'DELETE', headers: session.headers(), silenceMs: undefined, repeatable: true },
      { head: unread, over },
    )
  })
}
