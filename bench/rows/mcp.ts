import { type Context, type Row, race, sendAll } from '../lib/context.ts'
import { atMost, compare, type Line } from '../lib/line.ts'
import type { Era } from '../lib/mcp.ts'
import { startEcho } from '../lib/targets.ts'

/** A tool call in a session, as CPU time of the server a request, against an echo that gets the same bytes. */
export const mcp: Row = {
  number: 4,
  title: 'MCP tools/call over HTTP',
  async run(context) {
    const { loader, subject, plan, own } = context
    const ours = await context.seedSubject(Math.min(100_000, plan.sizes.at(-1) ?? 0))
    const server = own(await subject.startServer(ours.dir))
    const first = await subject.mcpTarget(server, ours.secrets, 'first')
    const second = await subject.mcpTarget(server, ours.secrets, 'second')
    await loader.aim('first', first)
    await loader.aim('second', second)
    // Each era sends its own bytes, so each has an echo that gets the same.
    await loader.aim('echo of first', own(await startEcho(first)).target)
    await loader.aim('echo of second', own(await startEcho(second)).target)
    await sendAll(context, 'first', ours.secrets.length)
    await sendAll(context, 'second', Math.min(10_000, ours.secrets.length))
    // One connection is an agent that waits for each answer; 32 keep the server busy, which makes each request cheaper.
    const lines: Line[] = []
    for (const era of ['first', 'second'] as const)
      for (const connections of [32, 1]) lines.push(...(await at(context, era, connections)))
    return lines
  },
}

const ways = { first: 'one session', second: 'second era' }

async function at(context: Context, era: Era, connections: number): Promise<Line[]> {
  const echo = `echo of ${era}`
  const results = await race(context, connections, [era, echo])
  const measured = (name: string, pick: 'cpuPerRequest' | 'rate', unit: 'µs' | '/s') => ({
    name: name === era ? context.subject.name : 'bare echo',
    values: (results[name] ?? []).map((one) => one[pick]),
    unit,
  })
  const work = `MCP tools/call validate_token, ${ways[era]}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
  return [
    compare(
      4,
      `${work}, CPU a request`,
      measured(era, 'cpuPerRequest', 'µs'),
      measured(echo, 'cpuPerRequest', 'µs'),
      atMost(6),
    ),
    compare(4, work, measured(era, 'rate', '/s'), measured(echo, 'rate', '/s')),
  ]
}
