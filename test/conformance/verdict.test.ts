import { describe, expect, it } from 'vitest'
import { type Expected, parseExpected } from '../../conformance/runner/expected.ts'
import { isGood, linesOf } from '../../conformance/runner/report.ts'
import type { Check } from '../../conformance/runner/suite.ts'
import { judge } from '../../conformance/runner/verdict.ts'

const free = () => new Set(['tasks-lifecycle'])
const listed = parseExpected(
  ['failures:', '  2026-07-28:', '    - tasks-lifecycle # an extension'].join('\n'),
  free,
)
const none: Expected = { failures: new Map(), warnings: new Map() }

function found(name: string, ...statuses: Check['status'][]) {
  return { name, checks: statuses.map((status, at) => ({ id: `check-${at}`, status })) }
}

function judged(
  scenarios: ReturnType<typeof found>[],
  expected: Expected,
  server: 'fixture' | 'real' = 'fixture',
) {
  return judge({ server, suite: '2026-07-28', scenarios }, expected)
}

describe('a run of the conformance suites', () => {
  it('is good when all checks pass', () => {
    const verdict = judged([found('ping', 'SUCCESS', 'INFO', 'SKIPPED')], none)
    expect(verdict).toMatchObject({ scenarios: 1, passed: 1 })
    expect(isGood(verdict)).toBe(true)
  })

  it('fails for a failure and for a warning that stand in no list, and names them', () => {
    for (const status of ['FAILURE', 'WARNING'] as const) {
      const verdict = judged([found('ping', 'SUCCESS', status)], none)
      expect(isGood(verdict)).toBe(false)
      expect(linesOf(verdict).join('\n')).toContain('ping:check-1')
    }
  })

  it('goes on with a failure that is listed, and fails once it passes', () => {
    expect(isGood(judged([found('tasks-lifecycle', 'FAILURE')], listed))).toBe(true)
    const verdict = judged([found('tasks-lifecycle', 'SUCCESS')], listed)
    expect(isGood(verdict)).toBe(false)
    expect(linesOf(verdict).join('\n')).toContain('passes, but is expected: FAILURE tasks-lifecycle')
  })

  it('counts what only the fixture can be tested for apart, with the real tools alone', () => {
    const scenario = {
      name: 'server-stateless',
      checks: [{ id: 'a', status: 'FAILURE' as const, details: { untestable: true } }],
    }
    expect(judged([scenario], none, 'real')).toMatchObject({ untestable: 1, failed: [] })
    expect(isGood(judged([scenario], none))).toBe(false)
  })
})

describe('the list of expected failures', () => {
  it('takes no entry without a reason, and none of a scenario that is scored', () => {
    const file = (entry: string) => `failures:\n  2026-07-28:\n    - ${entry}\n`
    expect(() => parseExpected(file('tasks-lifecycle'), free)).toThrow('an entry is')
    expect(() => parseExpected(file('ping # too hard'), free)).toThrow('must pass')
    expect(() => parseExpected(file('ping:check-1 # too hard'), free)).toThrow('must pass')
  })
})
