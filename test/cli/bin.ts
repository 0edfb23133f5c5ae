import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../../scripts/bundle.ts'

/** What a run of the program left behind. */
export interface Run {
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: Record<string, string>
  input?: string
  cwd?: string
}

/** The real program, bundled as for a release, with a data folder of its own. */
export interface Bin {
  main: string
  dataDir: string
  run(args: readonly string[], options?: RunOptions): Promise<Run>
  /** Runs it and reads its one JSON document; a run that fails fails the test. */
  json<T>(args: readonly string[], options?: RunOptions): Promise<T>
  remove(): void
}

const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))

/** Bundles the program into a folder from which its native packages can be found. */
export async function openBin(): Promise<Bin> {
  const outdir = join(cache, `tokenwright-test-${process.pid}-${Math.random().toString(36).slice(2)}`)
  await bundle(outdir)
  const dataDir = emptyFolder()
  const main = join(outdir, 'main.js')
  const run = (args: readonly string[], options: RunOptions = {}) =>
    runProgram(main, args, { ...options, env: { TOKENWRIGHT_DATA_DIR: dataDir, ...options.env } })
  return {
    main,
    dataDir,
    run,
    async json(args, options) {
      const done = await run(args, options)
      if (done.code !== 0) throw new Error(`exit ${done.code}: ${done.stderr}`)
      return JSON.parse(done.stdout)
    },
    remove() {
      for (const folder of [outdir, dataDir]) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A folder nothing is in yet. */
export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tokenwright-cli-'))
}

/** Runs a program under umask 000, the worst a shell can have, with none of our settings but the given ones. */
export function runProgram(
  main: string,
  args: readonly string[],
  { env, input = '', cwd }: RunOptions,
): Promise<Run> {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TOKENWRIGHT_')),
  )
  const child = spawn('/bin/sh', ['-c', 'umask 000; exec "$@"', 'sh', process.execPath, main, ...args], {
    env: { ...clean, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Everything below a folder that others than its user may touch. */
export function openToOthers(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const paths = [folder, ...entries.map((entry) => join(entry.parentPath, entry.name))]
  return paths.filter((path) => (statSync(path).mode & 0o077) !== 0)
}
