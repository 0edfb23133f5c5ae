import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compile } from './lib/compile.ts'
import { type Context, makeContext, type Plan, type Row } from './lib/context.ts'
import type { Line } from './lib/line.ts'
import { type Loader, startLoader } from './lib/load.ts'
import { notes } from './lib/notes.ts'
import { checkPeers } from './lib/peers.ts'
import { printTable, writeResults } from './lib/report.ts'
import { product } from './product.ts'
import { gateway } from './rows/gateway.ts'
import { growth } from './rows/growth.ts'
import { http } from './rows/http.ts'
import { idle } from './rows/idle.ts'
import { mcp } from './rows/mcp.ts'
import { peers } from './rows/peers.ts'
import { revoke } from './rows/revoke.ts'
import { start } from './rows/start.ts'
import { verify } from './rows/verify.ts'
import { write } from './rows/write.ts'
import { standIn } from './stand-in.ts'

const all: Row[] = [verify, http, peers, mcp, write, growth, start, revoke, gateway, idle]
const sizes = [1_000, 100_000, 1_000_000]
const whole: Plan = { rounds: 5, warmupMs: 700, durationMs: 2_500, sizes, spawns: 15, revocations: 1_000 }
const quick: Plan = {
  rounds: 3,
  warmupMs: 300,
  durationMs: 1_000,
  sizes: sizes.slice(0, 2),
  spawns: 5,
  revocations: 100,
}

await main()

async function main(): Promise<void> {
  const options = {
    rows: { type: 'string' },
    quick: { type: 'boolean' },
    'stand-in': { type: 'boolean' },
  } as const
  const { values } = parseArgs({ options })
  const wanted = values.rows?.split(',').map(Number)
  const rows = all.filter(({ number }) => wanted?.includes(number) ?? true)
  const here = dirname(fileURLToPath(import.meta.url))
  const root = join(here, '.data', String(process.pid))
  const from = performance.now()
  process.once('exit', () => rmSync(root, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  await compile()
  await checkPeers(join(root, 'check'))
  const loader = startLoader()
  const context = makeContext(
    {
      plan: values.quick ? quick : whole,
      subject: values['stand-in'] ? standIn : product,
      loader,
      databaseUrl: process.env['TOKENWRIGHT_BENCH_DATABASE_URL'],
    },
    root,
  )
  try {
    const { lines, failures } = await runAll(context, rows)
    const how = process.argv.slice(2).join(' ')
    const file = join(here, how === '' ? 'RESULTS.md' : 'RESULTS.partial.md')
    const seconds = (performance.now() - from) / 1_000
    printTable(lines)
    writeResults(file, {
      lines,
      failures,
      seconds,
      how: how === '' ? '' : ` (${how})`,
      notes: [...notes, busiest(loader)],
    })
    console.log(`\n${Math.round(seconds)} s; written to ${file}`)
    if (failures.length > 0) process.exitCode = 1
  } finally {
    await loader.stop()
  }
}

function busiest(loader: Loader): string {
  return `The load generator was never busier than ${Math.round(loader.busiest() * 100)} % of a core.`
}

async function runAll(context: Context, rows: Row[]): Promise<{ lines: Line[]; failures: string[] }> {
  const lines: Line[] = []
  const failures: string[] = []
  for (const row of rows) {
    console.log(`${row.number}. ${row.title}`)
    try {
      lines.push(...(await row.run(context)))
    } catch (error) {
      const failure = `row ${row.number}: ${(error instanceof Error ? error.message : String(error)).split('\n')[0]}`
      failures.push(failure)
      console.log(`  failed: ${failure}`)
    } finally {
      await context.release()
    }
  }
  return { lines, failures }
}
