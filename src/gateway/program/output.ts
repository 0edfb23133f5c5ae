import type { RpcMessage } from '../../http/messages.ts'
import { UpstreamFault } from '../conduit.ts'
import { messageLimit, readMessages } from '../reading.ts'
import { makeLines } from './lines.ts'

export interface OutputHears {
  message(message: RpcMessage): void
  /** A line that is none. */
  noise(line: Buffer): void
  /** It cannot be listened to any more; nothing comes after it. */
  fault(fault: UpstreamFault): void
}

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
        const messages = readMessages(bytes)
        // What does not even begin as a message is noise, however it goes on.
        if (messages === 'too_large' && bytes[0] === brace)
          return end('too_large', 'A message has more levels or members than allowed.')
        if (messages === undefined || messages === 'too_large') return hum(bytes)
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
