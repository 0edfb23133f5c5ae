import { type Context, type Row, race, sendAll } from '../lib/context.ts'
import { atLeast, below, compare, type Goal, type Line } from '../lib/line.ts'
import type { LoadResult } from '../lib/load.ts'
import { startEcho, startLookup } from '../lib/targets.ts'

/** Validation over HTTP against a bare handler that does the same look-up; the ratio to an echo beside it. */
export const http: Row = {
  number: 2,
  title: 'validate over HTTP',
  async run(context) {
    const lines: Line[] = []
    for (const size of context.plan.sizes) {
      const last = size === context.plan.sizes.at(-1)
      const names = await startAll(context, size, last)
      lines.push(...report(context, await race(context, 32, names), 32, size))
      if (last) lines.push(...report(context, await race(context, 1, names), 1, size))
      await context.release()
    }
    return lines
  },
}

const names = ['validate_token', 'introspect', 'forward-auth', 'lookup', 'echo'] as const
type Name = (typeof names)[number]
/** What has no goal at some size is left out there. */
type Results = Partial<Record<Name, LoadResult[]>> & Record<'lookup' | 'echo', LoadResult[]>

async function startAll(context: Context, size: number, last: boolean): Promise<readonly Name[]> {
  const { loader, subject, own } = context
  const [ours, bare] = [await context.seedSubject(size), await context.seedBare(size)]
  const server = own(await subject.startServer(ours.dir))
  const validate = subject.validateTarget(server, ours.secrets)
  await loader.aim('validate_token', validate)
  await loader.aim('lookup', own(await startLookup(bare.dir, bare.secrets)).target)
  await loader.aim('echo', own(await startEcho(validate)).target)
  await sendAll(context, 'validate_token', ours.secrets.length)
  if (!last) return ['validate_token', 'lookup', 'echo']
  await loader.aim('introspect', subject.introspectTarget(server, ours.secrets))
  await loader.aim('forward-auth', subject.forwardTarget(server, ours.secrets))
  return names
}

function report({ subject }: Context, results: Results, connections: number, size: number): Line[] {
  const line = (what: Name, pick: 'rate' | 'p99', against: 'lookup' | 'echo', goal?: Goal) => {
    const at = `${connections} ${connections === 1 ? 'connection' : 'connections'}, ${size.toLocaleString('en')} tokens`
    const unit = pick === 'rate' ? '/s' : 'ms'
    const work = `${what} over HTTP, ${at}${pick === 'p99' ? ', p99' : ''}`
    const ours = { name: subject.name, values: (results[what] ?? []).map((one) => one[pick]), unit } as const
    const bare = { name: `bare ${against}`, values: results[against].map((one) => one[pick]), unit } as const
    return compare(2, work, ours, bare, goal)
  }
  const measured = names.slice(0, 3).filter((what) => results[what] !== undefined)
  // The goals are set for 32 connections; with one, most of the time is spent between the processes.
  const goals = connections === 1 ? [] : [atLeast(0.6), below(3)]
  return measured.flatMap((what) => [
    line(what, 'rate', 'lookup', goals[0]),
    line(what, 'p99', 'lookup', goals[1]),
    line(what, 'rate', 'echo', what === 'validate_token' ? undefined : goals[0]),
  ])
}
