import { median } from './rounds.ts'

export interface Goal {
  text: string
  met(ratio: number): boolean
}

export const atLeast = (n: number): Goal => ({ text: `≥ ${n} ×`, met: (ratio) => ratio >= n })
export const atMost = (n: number): Goal => ({ text: `≤ ${n} ×`, met: (ratio) => ratio <= n })
export const below = (n: number): Goal => ({ text: `< ${n} ×`, met: (ratio) => ratio < n })
export const none: Goal = { text: '0', met: (count) => count === 0 }

/** One line of the table. */
export interface Line {
  row: number
  work: string
  subject: string
  baseline: string
  ratio: string
  /** Lowest and highest ratio of a round. */
  spread: string
  goal: string
  met: 'yes' | 'no' | ''
}

/** What was measured of one side, a value a round. */
export interface Measured {
  name: string
  values: number[]
  unit: '/s' | 'ms' | 'µs'
}

/** Subject against baseline: the ratio of their medians over the rounds. */
export function compare(row: number, work: string, subject: Measured, baseline: Measured, goal?: Goal): Line {
  const ratio = median(subject.values) / median(baseline.values)
  const each = subject.values.map((value, i) => value / (baseline.values[i] ?? Number.NaN))
  return {
    row,
    work,
    subject: shown(subject),
    baseline: shown(baseline),
    ratio: `${digits(ratio)} ×`,
    spread: `${digits(Math.min(...each))}–${digits(Math.max(...each))}`,
    goal: goal?.text ?? '',
    met: goal === undefined ? '' : goal.met(ratio) ? 'yes' : 'no',
  }
}

function shown({ name, values, unit }: Measured): string {
  const value = median(values)
  const text = unit === '/s' ? Math.round(value).toLocaleString('en') : digits(value)
  return `${name} ${text}${unit === '/s' ? '' : ' '}${unit}`
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
