import { realScenarios } from '../real-scenarios.ts'
import type { Expected } from './expected.ts'
import { type Package, runSuite, type Scenario } from './suite.ts'
import { judge, type Verdict } from './verdict.ts'

interface Suite {
  name: keyof typeof realScenarios
  from: Package
  /** All of it, and one scenario of it. */
  all: string[]
  one: string[]
}

const suites: Suite[] = [
  { name: '0.1', from: 'conformance-0.1', all: ['--suite', 'all'], one: [] },
  ...(['2025-11-25', '2026-07-28'] as const).map(
    (revision): Suite => ({
      name: revision,
      from: 'conformance-0.2',
      all: ['--requirements', revision],
      one: ['--spec-version', revision],
    }),
  ),
]

/** Runs everything against the fixture. */
export async function runFixture(url: string, expected: Expected): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const { name, from, all } of suites) {
    const scenarios = await runSuite(from, url, all)
    verdicts.push(judge({ server: 'fixture', suite: name, scenarios }, expected))
  }
  return verdicts
}

/** Runs against the real tool table what applies to any server. */
export async function runReal(url: string, expected: Expected): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const { name, from, one } of suites) {
    const scenarios: Scenario[] = []
    for (const { name: scenario } of realScenarios[name]) {
      scenarios.push(...(await runSuite(from, url, ['--scenario', scenario, ...one])))
    }
    verdicts.push(judge({ server: 'real', suite: name, scenarios }, expected))
  }
  return verdicts
}
