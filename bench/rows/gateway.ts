import { type Context, type Row, race } from '../lib/context.ts'
import { atMost, compare, type Line } from '../lib/line.ts'
import { openSession } from '../lib/mcp.ts'
import { startEverything } from '../lib/upstream.ts'

/** A tool call of a published server through the gateway, as latency, against the same call to the server itself. */
export const gateway: Row = {
  number: 9,
  title: 'a call through the gateway',
  async run(context) {
    const { loader, own, subject } = context
    const upstream = own(await startEverything())
    const direct = { ...upstream, headers: await openSession(upstream.url, '') }
    const through = own(await subject.startGateway(context.dir('gateway'), upstream.url))
    const opened = await openSession(`${through.url}${through.path}`, through.tokens[0] ?? '')
    const shared = { bodies, expect: 'Echo: measured' }
    await loader.aim('direct', { ...direct, path: '/mcp', ...shared })
    await loader.aim('gateway', { ...through, headers: opened, ...shared })
    return [...(await at(context, 1)), ...(await at(context, 32))]
  },
}

const bodies = Array.from({ length: 10_000 }, (_, id) =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: id + 1,
    method: 'tools/call',
    params: { name: 'echo', arguments: { message: 'measured' } },
  }),
)

async function at(context: Context, connections: number): Promise<Line[]> {
  const results = await race(context, connections, ['gateway', 'direct'])
  const work = `tools/call echo of server-everything, one session, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
  const line = (pick: 'p50' | 'p99' | 'rate', what: string, goal?: ReturnType<typeof atMost>) => {
    const unit = pick === 'rate' ? '/s' : 'ms'
    return compare(
      9,
      `${work}${what}`,
      { name: context.subject.name, values: results.gateway.map((one) => one[pick]), unit },
      { name: 'the server itself', values: results.direct.map((one) => one[pick]), unit },
      goal,
    )
  }
  return [line('p50', ', median', atMost(1.3)), line('p99', ', p99'), line('rate', '')]
}
