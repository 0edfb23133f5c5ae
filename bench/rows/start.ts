import { join } from 'node:path'
import { coldStart } from '../lib/cold-start.ts'
import { buildDir } from '../lib/compile.ts'
import type { Context, Row } from '../lib/context.ts'
import { atMost, compare, type Line } from '../lib/line.ts'
import type { Era } from '../lib/mcp.ts'
import { alternate } from '../lib/rounds.ts'
import type { Command } from '../lib/subject.ts'

/** What a chat client waits for: spawn, initialize, tools/list; against a script that answers with constants. */
export const start: Row = {
  number: 7,
  title: 'stdio cold start',
  async run(context) {
    const { subject } = context
    const ours = subject.stdioCommand((await context.seedSubject(1_000)).dir)
    const bare = { command: process.execPath, args: [join(buildDir, 'bare-stdio.js')], env: {} }
    return [...(await inEra(context, 'first', ours, bare)), ...(await inEra(context, 'second', ours, bare))]
  },
}

const opens = { first: 'initialize', second: 'server/discover' }

async function inEra({ subject, plan }: Context, era: Era, ours: Command, bare: Command): Promise<Line[]> {
  const { tools } = await coldStart(ours, era)
  if (tools === 0) throw new Error(`${subject.name} lists no tools`)
  await coldStart(bare, era)
  const times = await alternate(plan.spawns, {
    ours: () => coldStart(ours, era),
    bare: () => coldStart(bare, era),
  })
  const line = (pick: 'cpu' | 'wall', work: string, goal?: ReturnType<typeof atMost>) =>
    compare(
      7,
      `stdio cold start, spawn → ${opens[era]} → tools/list (${tools} tools), ${work}`,
      { name: subject.name, values: times.ours.map((one) => one[pick]), unit: 'ms' },
      { name: 'bare script', values: times.bare.map((one) => one[pick]), unit: 'ms' },
      goal,
    )
  return [line('cpu', 'CPU', atMost(2.5)), line('wall', 'on the clock')]
}
