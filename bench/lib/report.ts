import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import type { Line } from './line.ts'

const columns = ['row', 'work', 'subject', 'baseline', 'ratio', 'rounds', 'goal', 'met'] as const

export interface Report {
  lines: Line[]
  failures: string[]
  seconds: number
  /** How it was started, when that was not the whole run. */
  how: string
  notes: string[]
}

export function printTable(lines: Line[]): void {
  for (const row of table(lines)) console.log(row.join('  '))
}

/** Head and lines, every cell as wide as its column. */
function table(lines: Line[]): string[][] {
  const rows = [[...columns], ...lines.map(cells)]
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)))
}

/** Writes the results; what somebody wrote behind `missed:` stays while the same goal is still missed. */
export function writeResults(path: string, { lines, failures, seconds, how, notes }: Report): void {
  const causes = existsSync(path) ? causesIn(readFileSync(path, 'utf8')) : new Map<string, string>()
  const [head = [], ...body] = table(lines)
  const missed = lines.filter(({ met }) => met === 'no')
  const text = [
    '# Benchmark results',
    '',
    `Ratios of one run${how}; \`npm run bench\` writes this file. Read a ratio, not a number: the machine is shared.`,
    '',
    `- Date: ${new Date().toISOString().slice(0, 10)}, ${Math.round(seconds)} s`,
    `- Machine: ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `- Node ${process.versions.node}, ${process.platform}`,
    ...notes.map((note) => `- ${note}`),
    '',
    `| ${head.join(' | ')} |`,
    `| ${head.map((cell) => '-'.repeat(cell.length)).join(' | ')} |`,
    ...body.map((row) => `| ${row.join(' | ')} |`),
    '',
    ...missed.map((line) => `- missed: ${key(line)}: ${causes.get(key(line)) ?? ''}`.trimEnd()),
    ...failures.map((failure) => `- failed: ${failure}`),
  ]
  writeFileSync(path, `${text.join('\n').trimEnd()}\n`)
}

function cells(line: Line): string[] {
  const { row, work, subject, baseline, ratio, spread, goal, met } = line
  return [String(row), work, subject, baseline, ratio, spread, goal, met]
}

function key({ row, work, baseline }: Line): string {
  return `row ${row}, ${work}${baseline === '' ? '' : `, against ${baseline.replace(/ [\d.,]+(\/s| ms| µs)$|[\d,]+\/s$/, '').trim()}`}`
}

function causesIn(text: string): Map<string, string> {
  const found = text.matchAll(/^- missed: (row .*?): (.+)$/gm)
  return new Map([...found].map(([, what, cause]) => [what ?? '', cause ?? '']))
}
