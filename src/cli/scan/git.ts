import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { AppError } from '../../core/errors.ts'

type Git = ChildProcessByStdio<Writable, Readable, Readable>

/** A repository may be anybody's: nothing its configuration names is run, nothing is fetched, nothing is replaced. */
const harmless = [
  '--no-pager',
  '--no-replace-objects',
  ...[
    'core.fsmonitor=false',
    'core.hooksPath=/dev/null',
    'protocol.allow=never',
    'log.showSignature=false',
    'core.quotePath=false',
  ].flatMap((setting) => ['-c', setting]),
]

/** What no configuration can lift: one that allows a transport by its name would win over `protocol.allow`. */
const fetchesNothing = { GIT_ALLOW_PROTOCOL: 'none', GIT_NO_LAZY_FETCH: '1', GIT_TERMINAL_PROMPT: '0' }

/** A repository, and what a program that reads it gets of our environment. */
export interface Repository {
  path: string
  inherited: Readonly<Record<string, string>>
}

/** True for the root of a working copy, and for a bare repository. */
export async function isRepository(path: string): Promise<boolean> {
  const has = (name: string) =>
    access(join(path, name)).then(
      () => true,
      () => false,
    )
  if (await has('.git')) return true
  return (await has('HEAD')) && (await has('objects')) && (await has('refs'))
}

/** Starts git in a repository. */
export function git({ path, inherited }: Repository, args: readonly string[]): Git {
  return spawn('git', [...harmless, '-C', path, ...args], {
    env: { ...inherited, ...fetchesNothing },
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  })
}

/** Resolves once it has ended well; rejects with `unavailable`, which may be awaited later. */
export function endOf(program: Git): Promise<void> {
  const ended = ending(program)
  // It may fail while its output is still being read, and a rejection that nobody awaits yet would end the process.
  ended.catch(() => undefined)
  return ended
}

function ending(program: Git): Promise<void> {
  let said = ''
  program.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000)
  })
  return new Promise((resolve, reject) => {
    program.on('error', (cause) =>
      reject(
        new AppError('unavailable', 'git cannot be started. Install it, or add --no-history.', { cause }),
      ),
    )
    program.on('close', (code) => {
      if (code === 0) return resolve()
      const why = said.trim().split('\n').at(-1) ?? ''
      reject(new AppError('unavailable', `git could not read the history: ${why || `it ended with ${code}`}`))
    })
  })
}

/** The lines of a program's output. */
export async function* linesOf(output: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of output) {
    const lines = (rest + piece.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
