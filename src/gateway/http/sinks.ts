import type { IncomingMessage } from 'node:http'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { UpstreamFault } from '../conduit.ts'
import { messageLimit, readMessages } from '../reading.ts'
import { makeEventReader, type StreamEvent } from './event-reader.ts'
import type { Sink } from './exchange.ts'
import type { Place } from './resuming.ts'

/** The most of a refusal that is read. */
const refusalLimit = 64 * 1024
/** An event id that a header may hold. */
const sayable = /^[\x20-\x7e]{1,1024}$/

/** The media type of an answer, without its parameters. */
export function typeOf({ headers }: IncomingMessage): string {
  const type = headers['content-type'] ?? ''
  const end = type.indexOf(';')
  return (end === -1 ? type : type.slice(0, end)).trim().toLowerCase()
}

/** Reads a JSON body and hands over each message in it. */
export function jsonSink(hear: (message: JSONRPCMessage) => void): Sink {
  return textSink(messageLimit, true, (text) => readAll(text, hear))
}

/** Reads the body of a refusal, as much of it as is worth reading. */
export function refusalSink(refused: (text: string) => void): Sink {
  return textSink(refusalLimit, false, refused)
}

/** Lets a body go by. */
export function unread(): Sink {
  return refusalSink(() => {})
}

/** Reads an event stream and hands over each message in it; it goes on behind the event `from`. */
export function eventSink(
  hears: { message(message: JSONRPCMessage): void; event?(event: StreamEvent): unknown },
  from?: string,
): Sink & Place {
  let retryMs: number | undefined
  const event = (event: StreamEvent) => {
    hears.event?.(event)
    // An event without data only tells its id.
    if (event.data !== '' && (event.name === '' || event.name === 'message'))
      readAll(event.data, hears.message)
  }
  const retry = (ms: number) => {
    retryMs = ms
  }
  const reader = makeEventReader({ event, retry }, messageLimit)
  return {
    chunk(chunk) {
      const read = reader.push(chunk)
      if (read === 'too_large') throw tooLarge()
      return read === 'line'
    },
    end() {},
    lastId() {
      const id = reader.lastId() ?? from
      return id !== undefined && sayable.test(id) ? id : undefined
    },
    retryMs: () => retryMs,
  }
}

function textSink(limit: number, whole: boolean, read: (text: string) => void): Sink {
  const chunks: Buffer[] = []
  let size = 0
  return {
    chunk(chunk) {
      size += chunk.length
      if (size <= limit) chunks.push(chunk)
      else if (whole || size > messageLimit) throw tooLarge()
      return false
    },
    end() {
      const [first] = chunks
      read((chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)).toString('utf8'))
    },
  }
}

function readAll(text: string, hear: (message: JSONRPCMessage) => void): void {
  const messages = readMessages(Buffer.from(text))
  if (messages === 'too_large')
    throw new UpstreamFault('too_large', 'A message has more levels or members than allowed.')
  if (messages === undefined) throw new UpstreamFault('garbage', 'What it answered is no JSON-RPC message.')
  for (const message of messages) hear(message as JSONRPCMessage)
}

function tooLarge(): UpstreamFault {
  return new UpstreamFault('too_large', `It sent more than ${messageLimit} bytes for one message.`)
}
