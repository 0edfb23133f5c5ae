import { randomUUID } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import type { Role } from '../core/permissions.ts'
import { isRequest } from '../http/messages.ts'
import { rpc, rpcError } from '../http/rpc.ts'
import type { Logger } from '../log.ts'
import { makeFirst } from './first/server.ts'
import { linesOf } from './lines.ts'
import { longestMessage, readMessage } from './message.ts'
import type { Surface } from './surface.ts'
import { drained, makeWire, type Wire } from './wire.ts'

export interface StdioOptions {
  surface: Surface
  /** What the parent may do; fixed here and by nothing in the conversation (security R19). */
  role: Role
  /** The user of the operating system that runs both sides. */
  user: string
  log: Logger
  stdin?: Readable
  stdout?: Writable
}

/** How long calls may take to end once the input has ended, ms. */
const patience = 5_000

/** Serves one client over standard input and output; resolves when its input has ended and its calls are answered. */
export async function serveStdio(options: StdioOptions): Promise<void> {
  const { surface, role, user, log, stdin = process.stdin, stdout = process.stdout } = options
  const write = writer(stdout, () => stdin.destroy())
  const line: Transport = {
    start: async () => undefined,
    send: async (message) => write(message),
    close: async () => line.onclose?.(),
  }
  const wire = makeWire(line)
  const actor = { kind: 'local' as const, id: user, role }
  const server = makeFirst(surface, {
    callerOf: () => ({ actor, via: 'stdio', ip: null, client: null, request_id: `req_${randomUUID()}` }),
  })
  await server.connect(wire)
  try {
    for await (const bytes of linesOf(stdin, longestMessage)) {
      const refusal = receive(bytes, line, wire)
      if (refusal !== undefined) await write(refusal)
    }
  } catch {
    // The parent is gone, or its end of a pipe is; that is an end like any other.
    log.debug('the input broke off')
  }
  await drained(() => [wire], patience)
  await server.close()
}

function receive(bytes: Buffer | null, line: Transport, wire: Wire) {
  if (bytes === null)
    return rpcError(rpc.request, `A line has at most ${longestMessage} bytes; this one was skipped.`)
  if (bytes.toString('latin1').trim() === '') return undefined
  const read = readMessage(bytes)
  if ('refusal' in read) return read.refusal
  const { message } = read
  if (isRequest(message) && wire.pending.has(message.id)) {
    return rpcError(rpc.request, 'A call with this id is still running; use each id once.')
  }
  line.onmessage?.(message as JSONRPCMessage)
  return undefined
}

/** Writes one JSON object a line; a reader that is gone ends the input instead of the process. */
function writer(stdout: Writable, onGone: () => void): (message: object) => Promise<void> {
  let gone = false
  const leave = () => {
    gone = true
    onGone()
  }
  stdout.on('error', leave)
  return (message) =>
    new Promise((resolve) => {
      if (gone) return resolve()
      stdout.write(`${JSON.stringify(message)}\n`, () => resolve())
    })
}
