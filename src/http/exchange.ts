import type { IncomingMessage, ServerResponse } from 'node:http'
import { fixedHeaders, leaveBody } from './answer.ts'

/** More than this waiting for a client that does not read ends its stream, bytes. */
export const mostWaiting = 8 * 1024 * 1024

/** Messages on their way to a client; false = they cannot be told any more. */
export interface Stream {
  send(message: object): boolean
  end(): void
}

/** A sign of life comes so often, ms, so that nobody between takes a silent stream for a dead one. */
const pulse = 25_000

/** How long a client may take to read the rest of a stream that has ended, ms. */
const patience = 10_000

/** The answer to one POST: a JSON body, or a stream from the first message that comes before the answer. */
export interface Exchange extends Pick<Stream, 'send'> {
  /** The last message, which ends it; `status` for one that comes alone. */
  answer(message: object, status?: number): void
}

const streamHeaders = {
  'content-type': 'text/event-stream',
  ...fixedHeaders,
  // Proxies that gather a response would hold its messages back.
  'x-accel-buffering': 'no',
}

/** A stream of messages that stands on its own (GET). */
export function openStream(response: ServerResponse, headers: Record<string, string> = {}): Stream {
  response.writeHead(200, { ...streamHeaders, ...headers })
  response.flushHeaders()
  return streamOn(response)
}

/** Prepares the answer to a POST; `streams` = the client reads streams. */
export function openExchange(
  request: IncomingMessage,
  response: ServerResponse,
  { streams, headers }: { streams: boolean; headers: Record<string, string> },
): Exchange {
  let stream: Stream | undefined
  const isOpen = () => !response.destroyed && !response.writableEnded
  return {
    send(message) {
      if (!streams || !isOpen()) return false
      stream ??= openStream(response, headers)
      return stream.send(message)
    },
    answer(message, status = 200) {
      if (!isOpen()) return
      if (stream === undefined) return answerWith(request, response, status, message, headers)
      stream.send(message)
      stream.end()
    },
  }
}

/** One JSON body, or none. */
export function answerWith(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object | undefined,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return
  leaveBody(request)
  if (body === undefined) {
    response.writeHead(status, { ...fixedHeaders, ...headers })
    response.end()
    return
  }
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...fixedHeaders,
    ...headers,
  })
  response.end(text)
}

function streamOn(response: ServerResponse): Stream {
  const isOpen = () => !response.destroyed && !response.writableEnded
  // What has ended is open until its client has read it, and a write to it would end the process.
  const beat = setInterval(() => isOpen() && response.write(': \n\n'), pulse)
  beat.unref()
  response.once('close', () => clearInterval(beat))
  return {
    send(message) {
      if (!isOpen()) return false
      if (response.writableLength > mostWaiting) {
        response.destroy()
        return false
      }
      response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
      return true
    },
    end() {
      if (!isOpen()) return
      response.end()
      const timer = setTimeout(() => response.destroy(), patience).unref()
      response.once('close', () => clearTimeout(timer))
    },
  }
}
