import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './child.ts'
import { folder, nodeOfSuites } from './node.ts'

/** One finding of a suite, as it writes it to checks.json. */
export interface Check {
  id: string
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'
  errorMessage?: string
  details?: { untestable?: boolean }
}

export interface Scenario {
  name: string
  checks: Check[]
}

export type Package = 'conformance-0.1' | 'conformance-0.2'

/** Runs a suite, or one scenario of it, against a server and reads what it found. */
export async function runSuite(suite: Package, url: string, args: readonly string[]): Promise<Scenario[]> {
  const results = mkdtempSync(join(tmpdir(), 'tokenwright-results-'))
  try {
    const program = join(folder, 'node_modules', suite, 'dist/index.js')
    const { stdout, stderr } = await run(nodeOfSuites(), [
      ...[program, 'server', '--url', url, '--output-dir', results],
      ...args,
    ])
    const found = readdirSync(results).map((name) => readResult(results, name))
    const announced = Number(/\((\d+) scenarios\)/.exec(stdout)?.[1] ?? 1)
    if (found.length !== announced) {
      const last = `${stdout}${stderr}`.slice(-2_000)
      throw new Error(`${suite} ${args.join(' ')} left ${found.length} of ${announced} results:\n${last}`)
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  } finally {
    rmSync(results, { recursive: true, force: true })
  }
}

/** A folder is named server-<scenario>-<time>. */
function readResult(results: string, name: string): Scenario {
  const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
  const checks = JSON.parse(readFileSync(join(results, name, 'checks.json'), 'utf8')) as Check[]
  return { name: scenario, checks }
}

/** The scenarios a revision runs without scoring them, as the suite says. */
export function notScored(revision: string): Set<string> {
  const file = join(folder, 'node_modules/conformance-0.2/requirements', `${revision}.yaml`)
  const [, after = ''] = readFileSync(file, 'utf8').split(/^not_scored:$/m)
  return new Set([...after.matchAll(/^ {2}- scenario: (\S+)$/gm)].map(([, name = '']) => name))
}
