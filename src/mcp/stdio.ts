import { randomUUID } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'
import type { Caller } from '../core/context.ts'
import type { Role } from '../core/permissions.ts'
import { isRequest, type RpcMessage } from '../http/messages.ts'
import { rpc, rpcError } from '../http/rpc.ts'
import type { Logger } from '../log.ts'
import { isSecondEra } from './era.ts'
import type { Conversation, Send } from './line.ts'
import { linesOf } from './lines.ts'
import { longestMessage, readMessage } from './message.ts'
import type { Surface } from './surface.ts'
import { drained } from './wire.ts'

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
  const actor = { kind: 'local' as const, id: user, role }
  const callerOf = (): Caller => ({
    actor,
    via: 'stdio',
    ip: null,
    client: null,
    request_id: `req_${randomUUID()}`,
  })
  const eras = makeEras(surface, callerOf, write)
  try {
    for await (const bytes of linesOf(stdin, longestMessage)) {
      const refusal = await receive(bytes, eras)
      if (refusal !== undefined) await write(refusal)
    }
  } catch {
    // The parent is gone, or its end of a pipe is; that is an end like any other.
    log.debug('the input broke off')
  }
  await drained(() => eras.open().map(({ wire }) => wire), patience)
  await Promise.all(eras.open().map((conversation) => conversation.close()))
}

interface Eras {
  /** Whose a message is, by what it says itself and by what was said before. */
  of(message: RpcMessage): Promise<Conversation>
  open(): Conversation[]
}

/** The conversations of either era, each loaded with the first message that needs it. */
function makeEras(surface: Surface, callerOf: () => Caller, send: Send): Eras {
  let first: Conversation | undefined
  let second: Conversation | undefined
  return {
    async of(message) {
      // A client may ask in the second era whether we speak it, and begin in the first after all.
      const later = isSecondEra(message) || (first === undefined && second !== undefined && !begins(message))
      if (later) {
        second ??= await (await import('./second/stdio.ts')).openSecond(surface, callerOf, send)
        return second
      }
      first ??= await (await import('./first/stdio.ts')).openFirst(surface, callerOf, send)
      return first
    },
    open: () => [first, second].filter((one) => one !== undefined),
  }
}

function begins(message: RpcMessage): boolean {
  return 'method' in message && message.method === 'initialize'
}

async function receive(bytes: Buffer | null, eras: Eras) {
  if (bytes === null)
    return rpcError(rpc.request, `A line has at most ${longestMessage} bytes; this one was skipped.`)
  if (bytes.toString('latin1').trim() === '') return undefined
  const read = readMessage(bytes)
  if ('refusal' in read) return read.refusal
  const { message } = read
  const { wire, receive: hear } = await eras.of(message)
  if (isRequest(message) && wire.pending.has(message.id)) {
    return rpcError(rpc.request, 'A call with this id is still running; use each id once.')
  }
  hear(message)
  return undefined
}

/** Writes one JSON object a line; a reader that is gone ends the input instead of the process. */
function writer(stdout: Writable, onGone: () => void): Send {
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
