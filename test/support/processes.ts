import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buildSync } from 'esbuild'
import type { Task } from './child.ts'

const root = new URL('../..', import.meta.url).pathname
let bundle: string | undefined

/** Bundles the child once for each test file: a bundle starts in a fraction of the time of the sources. */
function script(): string {
  if (bundle === undefined) {
    // Inside the repository, so that native packages are found from there.
    bundle = join(root, 'node_modules/.cache/tokenwright-test', `child-${process.pid}.mjs`)
    const file = bundle
    process.once('exit', () => rmSync(file, { force: true }))
    buildSync({
      entryPoints: [join(root, 'test/support/child.ts')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'error',
    })
  }
  return bundle
}

let older: string | undefined

/** The same program before its latest migration, which it knows nothing of. */
function olderScript(): string {
  if (older === undefined) {
    older = script().replace(/\.mjs$/, '-older.mjs')
    const file = older
    process.once('exit', () => rmSync(file, { force: true }))
    const text = readFileSync(script(), 'utf8')
    const steps = [...text.matchAll(/^ *\["\d{4}-[^"]+", .*$/gm)]
    const latest = steps.at(-1)?.[0]
    if (latest === undefined || steps.length < 2) throw new Error('the bundle has no list of migrations')
    writeFileSync(file, text.replace(latest, ''))
  }
  return older
}

export interface Child {
  process: ChildProcess
  /** What it wrote to stderr so far. */
  errors(): string
  /** Every line it said so far, parsed. */
  said: Record<string, unknown>[]
  /** Resolves with the line that fits, said already or yet to come; rejects if the child ends without it. */
  says(fits: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  tell(line: string): void
  /** Exit code, or the signal that ended it. */
  ended: Promise<number | string>
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>
}

/** Starts a process of our program on the same store, as it is or as it was before the latest migration. */
export function startChild(task: Task, build: 'this' | 'older' = 'this'): Child {
  const file = build === 'older' ? olderScript() : script()
  const child = spawn(process.execPath, [file, JSON.stringify(task)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const said: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += String(chunk)
  })
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    // The last line of a killed process may be cut.
    if (!line.endsWith('}')) return
    said.push(JSON.parse(line))
    for (const wake of waiting) wake()
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    for (const wake of waiting) wake()
    return (code ?? signal) as number | string
  })
  let over = false
  void ended.then(() => {
    over = true
  })
  return {
    process: child,
    errors: () => errors,
    said,
    says: (fits) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = said.find(fits)
          if (found === undefined && !over && child.exitCode === null && child.signalCode === null) return
          waiting.delete(look)
          if (found === undefined) reject(new Error(`the child ended without saying it: ${errors}`))
          else resolve(found)
        }
        waiting.add(look)
        look()
      }),
    tell: (line) => void child.stdin.write(`${line}\n`),
    ended,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
