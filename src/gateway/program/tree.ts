import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { UpstreamFault } from '../conduit.ts'
import { neutralFolder } from './environment.ts'

/** A program and whatever it started itself. */
export interface Tree {
  readonly child: ChildProcessWithoutNullStreams
  /** How the program itself ended, for the log. */
  readonly exited: Promise<string>
  /** Nothing of it is left. */
  readonly gone: Promise<void>
  /** Asks it to end, and soon makes it; answers once nothing more can be done. */
  end(): Promise<void>
  /** Ends it at once and without a word. */
  kill(): void
}

/** How long a program has to end by itself once its input ends, once it is told to, and once it is made to, ms. */
const inputMs = 200
const graceMs = 2_000
const killedMs = 600
/** How long what was said last may take to be read once nobody is left to say more, ms. */
const lastWordsMs = 250
/** How often the group of processes is looked at while it ends, ms. */
const lookMs = 20

/** Whether programs lead a group of processes here, so that all of it can be ended. */
const grouped = process.platform !== 'win32'

/** Starts a program without a shell. Rejects with `UpstreamFault`. */
export async function startTree(
  { command, args }: { command: string; args: readonly string[] },
  env: Record<string, string>,
): Promise<Tree> {
  const child = spawned(command, args, env)
  if (child.pid === undefined) {
    const [error] = await once(child, 'error')
    throw notStarted(error)
  }
  child.on('error', () => {})
  return makeTree(child, child.pid)
}

function spawned(command: string, args: readonly string[], env: Record<string, string>) {
  try {
    return spawn(command, args, {
      cwd: neutralFolder,
      env,
      shell: false,
      detached: grouped,
      windowsHide: true,
      stdio: 'pipe',
    })
  } catch (error) {
    throw notStarted(error)
  }
}

/** Of the error only the code: its text and members hold arguments. */
function notStarted(error: unknown): UpstreamFault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  if (['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'].includes(code))
    return new UpstreamFault('busy', `The machine has no room for another program (${code}).`)
  return new UpstreamFault('crashed', `Its program cannot be started (${code}).`)
}

function makeTree(child: ChildProcessWithoutNullStreams, pid: number): Tree {
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
  })
  let left = () => {}
  const gone = new Promise<void>((resolve) => {
    left = resolve
  })
  let over = false
  let ending: Promise<void> | undefined

  /** True if somebody was there to get it. */
  function signal(name: NodeJS.Signals | 0): boolean {
    if (over) return false
    try {
      return grouped ? process.kill(-pid, name) : child.kill(name)
    } catch {
      return false
    }
  }

  async function leaves(ms: number): Promise<boolean> {
    for (const until = performance.now() + ms; signal(0); await sleep(lookMs))
      if (performance.now() > until) return false
    return true
  }

  async function end(): Promise<void> {
    child.stdin.end()
    if (!(await leaves(inputMs))) {
      signal('SIGTERM')
      if (!(await leaves(graceMs))) {
        signal('SIGKILL')
        await leaves(killedMs)
      }
    }
    // From here on the number may be another's.
    over = true
    // What not even SIGKILL ends keeps its place until it does.
    if (child.exitCode !== null || child.signalCode !== null) left()
    else void exited.then(left)
    // What came may still wait to be read; only one who left the group can hold a stream open for longer.
    const read = [child.stdout, child.stderr].map(closing)
    await Promise.race([Promise.all(read), sleep(lastWordsMs)])
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
  }

  const ended = () => {
    ending ??= end()
    return ending
  }
  void exited.then(ended)
  return { child, exited, gone, end: ended, kill: () => void signal('SIGKILL') }
}

/** Waits until a stream is closed, by whatever. */
function closing(stream: Readable): Promise<void> {
  return new Promise((resolve) => (stream.closed ? resolve() : stream.once('close', resolve)))
}
