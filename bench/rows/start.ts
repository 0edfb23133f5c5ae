import { join } from 'node:path'
import { coldStart } from '../lib/cold-start.ts'
import { buildDir } from '../lib/compile.ts'
import type { Row } from '../lib/context.ts'
import { atMost, compare } from '../lib/line.ts'
import { alternate } from '../lib/rounds.ts'

/** What a chat client waits for: spawn, initialize, tools/list; against a script that answers with constants. */
export const start: Row = {
  number: 7,
  title: 'stdio cold start',
  async run(context) {
    const { subject, plan } = context
    const ours = subject.stdioCommand((await context.seedSubject(1_000)).dir)
    const bare = { command: process.execPath, args: [join(buildDir, 'bare-stdio.js')], env: {} }
    const tools = (await coldStart(ours)).tools
    if (tools === 0) throw new Error(`${subject.name} lists no tools`)
    await coldStart(bare)
    const times = await alternate(plan.spawns, { ours: () => coldStart(ours), bare: () => coldStart(bare) })
    const line = (pick: 'cpu' | 'wall', work: string, goal?: ReturnType<typeof atMost>) =>
      compare(
        7,
        `stdio cold start, spawn → tools/list (${tools} tools), ${work}`,
        { name: subject.name, values: times.ours.map((one) => one[pick]), unit: 'ms' },
        { name: 'bare script', values: times.bare.map((one) => one[pick]), unit: 'ms' },
        goal,
      )
    return [line('cpu', 'CPU', atMost(2.5)), line('wall', 'on the clock')]
  },
}
