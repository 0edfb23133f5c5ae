import { type Context, type Row, race, sendAll } from '../lib/context.ts'
import { atMost, compare, type Line } from '../lib/line.ts'
import { startEcho } from '../lib/targets.ts'

/** A tool call in a session, as CPU time of the server a request, against an echo that gets the same bytes. */
export const mcp: Row = {
  number: 4,
  title: 'MCP tools/call over HTTP',
  async run(context) {
    const { loader, subject, plan, own } = context
    const ours = await context.seedSubject(Math.min(100_000, plan.sizes.at(-1) ?? 0))
    const target = await subject.mcpTarget(own(await subject.startServer(ours.dir)), ours.secrets)
    await loader.aim('mcp', target)
    await loader.aim('echo', own(await startEcho(target)).target)
    await sendAll(context, 'mcp', ours.secrets.length)
    // One connection is an agent that waits for each answer; 32 keep the server busy, which makes each request cheaper.
    return [...(await at(context, 32)), ...(await at(context, 1))]
  },
}

async function at(context: Context, connections: number): Promise<Line[]> {
  const results = await race(context, connections, ['mcp', 'echo'])
  const measured = (name: 'mcp' | 'echo', pick: 'cpuPerRequest' | 'rate', unit: 'µs' | '/s') => ({
    name: name === 'mcp' ? context.subject.name : 'bare echo',
    values: results[name].map((one) => one[pick]),
    unit,
  })
  const cpu = (name: 'mcp' | 'echo') => measured(name, 'cpuPerRequest', 'µs')
  const rate = (name: 'mcp' | 'echo') => measured(name, 'rate', '/s')
  const work = `MCP tools/call validate_token, one session, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
  return [
    compare(4, `${work}, CPU a request`, cpu('mcp'), cpu('echo'), atMost(6)),
    compare(4, work, rate('mcp'), rate('echo')),
  ]
}
