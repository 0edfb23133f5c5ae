import { scanJson } from '../../domain/json-scan.ts'
import { UpstreamFault } from '../conduit.ts'
import { messageLimit } from '../http/messages.ts'
import { asMessage, type RpcMessage } from '../message.ts'
import { makeLines } from './lines.ts'

export interface OutputHears {
  message(message: RpcMessage): void
  /** A line that is none. */
  noise(line: Buffer): void
  /** It cannot be listened to any more; nothing comes after it. */
  fault(fault: UpstreamFault): void
}

const limits = { depth: 64, members: 200_000 }
/** Lines that are no messages: a banner is tolerated, a program that speaks something else is not. */
const mostNoise = 20
const mostNoiseBytes = 64 * 1024

/** Reads what a program says on its standard output: a message a line. Answers what takes the next chunk. */
export function makeOutput(hears: OutputHears): (chunk: Buffer) => void {
  let spoke = false
  let ended = false
  let noise = 0
  let noiseBytes = 0

  const read = makeLines(
    {
      line(bytes) {
        if (ended) return
        const messages = messagesIn(bytes)
        if (messages === 'too_large')
          return end('too_large', 'A message has more levels or members than allowed.')
        if (messages === undefined) return hum(bytes)
        spoke = true
        noise = 0
        for (const message of messages) hears.message(message)
      },
      tooLong: () => end('too_large', `It sent a line of more than ${messageLimit} bytes.`),
    },
    messageLimit,
  )

  function hum(bytes: Buffer): void {
    noise += 1
    noiseBytes += bytes.length
    hears.noise(bytes)
    if (noise > mostNoise)
      end('garbage', `It said more than ${mostNoise} lines in a row that are no messages.`)
    else if (!spoke && noiseBytes > mostNoiseBytes) end('garbage', 'What it says is no MCP.')
  }

  function end(problem: 'garbage' | 'too_large', why: string): void {
    if (ended) return
    ended = true
    hears.fault(new UpstreamFault(problem, why))
  }

  return (chunk) => {
    if (!ended) read(chunk)
  }
}

const brace = 0x7b

/** The messages of a line, one or a batch; undefined if it holds anything else. */
function messagesIn(bytes: Buffer): RpcMessage[] | 'too_large' | undefined {
  if (scanJson(bytes, limits) !== 'ok') return bytes[0] === brace ? 'too_large' : undefined
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
  if (!Array.isArray(value)) {
    const message = asMessage(value)
    return message === undefined ? undefined : [message]
  }
  const messages = value.map(asMessage)
  return messages.length > 0 && messages.every((message) => message !== undefined) ? messages : undefined
}
