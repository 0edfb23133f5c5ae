import { setTimeout as sleep } from 'node:timers/promises'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import type { Logger } from '../../log.ts'
import { type Conduit, type Hears, type OpenConduit, UpstreamFault } from '../conduit.ts'
import { environmentOf } from './environment.ts'
import { makeLines } from './lines.ts'
import { makeOutput } from './output.ts'
import { readPaced } from './pace.ts'
import { type Budget, makeSaid, type Said } from './said.ts'
import { startTree, type Tree } from './tree.ts'

/** A server that is a program of this machine. */
export interface ProgramTarget {
  slug: string
  command: string
  args: readonly string[]
  /** The stored variables, in clear. */
  env: Readonly<Record<string, string>>
}

export interface ProgramOptions {
  /** Programs may be started (security R34). */
  allowed: boolean
  /** The variables of ours it gets. */
  inherited: Readonly<Record<string, string>>
  log: Logger
  budget: Budget
  /** Told of the process as soon as there is one. */
  started?(tree: Tree): void
}

const lineEnd = Buffer.from('\n')
/** What may wait to be read by a program. */
const queueLimit = 16 * 1024 * 1024
/** What of a program's standard error is read in a second; a flood slows down whoever makes it. */
const stderrBytes = 2 * 1024 * 1024
/** How long what a program said last may take to arrive after its end, ms. */
const lastWordsMs = 250
/** How long a program may stay that has closed one of its streams; most are ending, and how says more, ms. */
const halfMs = 1_000

/** Opens conversations with a program: each has a process of its own. */
export function openProgram(target: ProgramTarget, options: ProgramOptions): OpenConduit {
  return async (hears) => {
    if (!options.allowed)
      throw new UpstreamFault('commands_off', 'It is a program, and --allow-commands was not given.')
    const { inherited, log, budget } = options
    const said = makeSaid(log, target.slug, target.env, budget)
    const tree = await startTree(target, environmentOf(inherited, target.env))
    options.started?.(tree)
    return converse(tree, hears, said, log)
  }
}

function converse(tree: Tree, hears: Hears, said: Said, log: Logger): Conduit {
  const { stdin, stdout, stderr } = tree.child
  let over: UpstreamFault | undefined

  const finish = (fault: UpstreamFault) => {
    if (over !== undefined) return
    over = fault
    void tree.end()
    guarded(() => hears.closed(fault))
  }

  /** What the listener does wrong must not end the process. */
  const guarded = (work: () => void) => {
    try {
      work()
    } catch (error) {
      log.error({ error }, 'a message of a program could not be passed on')
    }
  }

  const ends = (what: string) => setTimeout(() => finish(crashed(what)), halfMs).unref()

  const read = makeOutput({
    message: (message) => guarded(() => over ?? hears.message(message as JSONRPCMessage)),
    noise: (line) => said.noise(line),
    fault(fault) {
      stdout.destroy()
      finish(fault)
    },
  })
  readPaced(stdout, (chunk) => over ?? read(chunk))
  const complain = makeLines({ line: said.error, tooLong: said.error }, said.longest)
  readPaced(stderr, complain, stderrBytes)
  // The last words of a crash often end without a line end.
  stderr.once('end', () => complain(lineEnd))
  // A write to a program that is gone fails here, and its end is told by what follows.
  stdin.on('error', () => ends('It closed its input.'))
  stdout.on('error', () => ends('Its output broke off.'))
  stderr.on('error', () => {})
  const silent = new Promise<void>((resolve) => stdout.once('close', resolve))
  void silent.then(() => ends('It closed its output.'))
  void tree.exited.then(async (how) => {
    await Promise.race([silent, sleep(lastWordsMs)])
    finish(crashed(`It ended with ${how}.`))
  })

  return {
    async send(message) {
      if (over !== undefined) throw over
      const line = Buffer.from(`${JSON.stringify(message)}\n`)
      if (stdin.writableLength + line.length > queueLimit)
        throw new UpstreamFault('busy', `It does not read: ${stdin.writableLength} bytes wait for it.`)
      if (!stdin.writable) throw crashed('It takes no more input.')
      stdin.write(line)
    },
    listen() {},
    close() {
      over ??= new UpstreamFault('session_ended', 'The conversation was closed.')
      return tree.end()
    },
  }
}

function crashed(why: string): UpstreamFault {
  return new UpstreamFault('crashed', why)
}
