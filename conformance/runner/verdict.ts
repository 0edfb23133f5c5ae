import type { Expected } from './expected.ts'
import type { Check, Scenario } from './suite.ts'

/** What one run of a suite against one server comes to. */
export interface Verdict {
  server: 'fixture' | 'real'
  suite: string
  scenarios: number
  passed: number
  /** Failures that stand in no list. */
  failed: string[]
  expected: string[]
  warnings: string[]
  /** Checks that would need something only the fixture has. */
  untestable: number
  /** Entries of the list that came true no more, and warnings that stand in none. */
  surprises: string[]
}

export function emptyVerdict(server: Verdict['server'], suite: string): Verdict {
  const none = { scenarios: 0, passed: 0, untestable: 0 }
  return { server, suite, ...none, failed: [], expected: [], warnings: [], surprises: [] }
}

interface Run {
  server: 'fixture' | 'real'
  suite: string
  scenarios: readonly Scenario[]
}

/** Compares what a suite found with what is expected. */
export function judge({ server, suite, scenarios }: Run, expected: Expected): Verdict {
  const verdict = emptyVerdict(server, suite)
  verdict.scenarios = scenarios.length
  const open = {
    FAILURE: expected.failures.get(suite) ?? new Map<string, string>(),
    WARNING: expected.warnings.get(suite) ?? new Map<string, string>(),
  }
  const used = new Set<string>()
  for (const { name, checks } of scenarios) {
    for (const check of checks) {
      if (check.status === 'SUCCESS') verdict.passed++
      if (check.status !== 'FAILURE' && check.status !== 'WARNING') continue
      if (server === 'real' && check.details?.untestable === true) {
        verdict.untestable++
        continue
      }
      const entry = [name, `${name}:${check.id}`].find((one) => open[check.status as 'FAILURE'].has(one))
      if (entry !== undefined) used.add(`${check.status} ${entry}`)
      place(verdict, check, lineOf(name, check), entry !== undefined)
    }
  }
  if (server === 'fixture') verdict.surprises.push(...stale(open, used))
  return verdict
}

function place(verdict: Verdict, { status }: Check, line: string, known: boolean): void {
  if (status === 'FAILURE') (known ? verdict.expected : verdict.failed).push(line)
  else {
    verdict.warnings.push(line)
    if (!known) verdict.surprises.push(`a warning nobody expected: ${line}`)
  }
}

/** A list that is longer than what fails hides the next failure. */
function stale(open: Record<string, Map<string, string>>, used: ReadonlySet<string>): string[] {
  const listed = Object.entries(open).flatMap(([status, entries]) =>
    [...entries.keys()].map((entry) => `${status} ${entry}`),
  )
  return listed.filter((entry) => !used.has(entry)).map((entry) => `passes, but is expected: ${entry}`)
}

function lineOf(scenario: string, { id, errorMessage }: Check): string {
  return `${scenario}:${id} ${(errorMessage ?? '').split('\n')[0]?.slice(0, 300)}`
}
