import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { AppError } from '../core/errors.ts'
import type { Terminal } from './world.ts'

const longest = 4_096

/** Asks yes or no on the terminal; anything but yes is no. */
export async function confirmed({ stdin, stderr }: Terminal, question: string): Promise<boolean> {
  const lines = createInterface({ input: stdin, output: stderr })
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal: closing(lines) })
    return /^y(es)?$/i.test(answer.trim())
  } catch {
    return false
  } finally {
    lines.close()
  }
}

/** A secret from the terminal without echo, or the whole of standard input; a command line is no place for it (R14). */
export async function secretFrom({ stdin, stderr }: Terminal, question: string): Promise<string> {
  const text = stdin.isTTY ? await hidden(stdin, stderr, question) : await wholeOf(stdin, longest)
  const secret = text.trim()
  if (secret === '') throw new AppError('invalid_input', `${question}: nothing was given.`)
  return secret
}

/** A password from the terminal without echo, or the first line of standard input, exactly as it stands there. */
export async function firstLineFrom({ stdin, stderr }: Terminal, question: string): Promise<string> {
  const line = stdin.isTTY ? await hidden(stdin, stderr, question) : await firstLineOf(stdin, longest)
  if (line === '') throw new AppError('invalid_input', `${question}: nothing was given.`)
  return line
}

async function firstLineOf(stdin: AsyncIterable<Buffer | string>, limit: number): Promise<string> {
  let read = Buffer.alloc(0)
  for await (const chunk of stdin) {
    read = Buffer.concat([read, Buffer.from(chunk)])
    if (read.includes(10)) break
    if (read.length > limit) throw new AppError('too_large', `The line holds more than ${limit} bytes.`)
  }
  const [line = ''] = read.toString().split('\n', 1)
  return line.replace(/\r$/, '')
}

/** Everything standard input holds, as text; more than `limit` bytes are refused. */
export async function wholeOf(stdin: AsyncIterable<Buffer | string>, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > limit) throw new AppError('too_large', `Standard input holds more than ${limit} bytes.`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString()
}

async function hidden(
  stdin: NodeJS.ReadStream,
  stderr: NodeJS.WriteStream,
  question: string,
): Promise<string> {
  stderr.write(`${question}: `)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: silent, terminal: true, historySize: 0 })
  try {
    return await lines.question('', { signal: closing(lines) })
  } catch {
    return ''
  } finally {
    lines.close()
    stderr.write('\n')
  }
}

/** Ctrl-C and end of input end a question instead of leaving it open for ever. */
function closing(lines: ReturnType<typeof createInterface>): AbortSignal {
  const stop = new AbortController()
  lines.once('SIGINT', () => stop.abort())
  lines.once('close', () => stop.abort())
  return stop.signal
}
