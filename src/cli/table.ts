import { styleText } from 'node:util'
import { inline, pad, shorten, wrap } from './text.ts'

const first = [
  ...['seq', 'at', 'id', 'slug', 'name', 'role', 'action', 'actor', 'outcome', 'target_id'],
  ...['status', 'expires_at', 'last_used_at'],
]
const whole = ['id', 'seq', 'at', 'target_id']
/** Half a sentence says nothing, so these go on in the next line. */
const wrapped = ['detail']
/** What is to be typed gets a line of its own below its row, whole. */
const below = 'mend'
const narrowest = 8
const gap = '  '

interface Column {
  name: string
  cells: string[]
  width: number
  /** Ids are copied and times are compared, so they are never cut. */
  whole: boolean
}

/** Rows as a table that fits the terminal; what has no room is left out, and the last line says so. */
export function tableLines(rows: readonly object[], columns: number, styled: boolean): string[] {
  const cells = columnsOf(rows)
  const all = cells.filter(({ name }) => name !== below)
  const under = cells.find(({ name }) => name === below)?.cells ?? []
  const kept = chosen(all, columns)
  shrink(kept, columns)
  const line = (cells: string[]) =>
    cells
      .map((cell, at) => padded(cell, kept, at))
      .join(gap)
      .trimEnd()
  const lines = (row: number) => {
    const parts = kept.map(({ name, cells, width }) => {
      const cell = cells[row] ?? ''
      return wrapped.includes(name) ? wrap(cell, width) : [cell]
    })
    const height = Math.max(...parts.map((part) => part.length))
    return Array.from({ length: height }, (_, at) => line(parts.map((part) => part[at] ?? '')))
  }
  const head = line(kept.map((column) => column.name))
  const left = all.slice(kept.length).map((column) => column.name)
  return [
    styled ? styleText('bold', head) : head,
    ...rows.flatMap((_, row) => [...lines(row), ...(under[row] ? [`  ${under[row]}`] : [])]),
    ...(left.length === 0 ? [] : [`Not shown: ${left.join(', ')}. Use --json for everything.`]),
  ]
}

function columnsOf(rows: readonly object[]): Column[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const place = (name: string) => (first.includes(name) ? first.indexOf(name) : first.length)
  return names
    .map((name) => {
      const cells = rows.map((row) => inline((row as Record<string, unknown>)[name]))
      const width = Math.max(name.length, ...cells.map((cell) => [...cell].length))
      return { name, cells, width, whole: whole.includes(name) }
    })
    .filter(({ cells }) => cells.some((cell) => cell !== ''))
    .sort((a, b) => place(a.name) - place(b.name))
}

/** As many columns from the left as have room when each is as narrow as it may be. */
function chosen(all: readonly Column[], columns: number): Column[] {
  let room = columns
  const until = all.findIndex((column) => {
    room -= least(column) + gap.length
    return room + gap.length < 0
  })
  return all.slice(0, until === -1 ? all.length : Math.max(1, until)).map((column) => ({ ...column }))
}

function shrink(kept: Column[], columns: number): void {
  const total = () => kept.reduce((sum, { width }) => sum + width + gap.length, -gap.length)
  for (let over = total() - columns; over > 0; over--) {
    const widest = kept.filter((column) => column.width > least(column)).sort((a, b) => b.width - a.width)[0]
    if (widest === undefined) return
    widest.width -= 1
  }
}

function least({ width, whole }: Column): number {
  return whole ? width : Math.min(width, narrowest)
}

function padded(cell: string, kept: readonly Column[], at: number): string {
  const width = kept[at]?.width ?? 0
  return pad(shorten(cell, width), width)
}
