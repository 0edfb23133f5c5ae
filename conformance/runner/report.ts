import type { Verdict } from './verdict.ts'

const heads = [
  'server',
  'suite',
  'scenarios',
  'checks passed',
  'failed',
  'expected',
  'untestable',
  'warnings',
]

/** The table of all runs, as Markdown. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => [
    ...[verdict.server, verdict.suite, verdict.scenarios, verdict.passed, verdict.failed.length],
    ...[verdict.expected.length, verdict.untestable, verdict.warnings.length],
  ])
  const cells = [heads, ...rows].map((row) => row.map(String))
  const widths = heads.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)))
  const lines = cells.map((row) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`)
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

/** What a reader has to know beyond the numbers. */
export function linesOf({ server, suite, failed, warnings, surprises }: Verdict): string[] {
  const said = (what: string, lines: readonly string[]) =>
    lines.map((line) => `${what} ${server} ${suite} ${line}`)
  return [...said('FAILED', failed), ...said('warning', warnings), ...said('SURPRISE', surprises)]
}

/** Whether everything came as expected. */
export function isGood({ failed, surprises }: Verdict): boolean {
  return failed.length === 0 && surprises.length === 0
}
