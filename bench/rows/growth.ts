import { type Child, startChild } from '../lib/child.ts'
import type { Context, Row, Seeded } from '../lib/context.ts'
import { atMost, compare, type Goal, type Line } from '../lib/line.ts'
import { alternate } from '../lib/rounds.ts'

interface Pair {
  name: string
  few: Child
  many: Child
}

/** What a page and a validation cost in a large store, as a multiple of what they cost in a small one. */
export const growth: Row = {
  number: 6,
  title: 'large store against small',
  async run(context) {
    const [small, large] = [context.plan.sizes[0] ?? 0, context.plan.sizes.at(-1) ?? 0]
    const ours: Pair = {
      name: context.subject.name,
      few: await open(context, 'subject', await context.seedSubject(small)),
      many: await open(context, 'subject', await context.seedSubject(large)),
    }
    const bare: Pair = {
      name: 'bare',
      few: await open(context, 'bare', await context.seedBare(small)),
      many: await open(context, 'bare', await context.seedBare(large)),
    }
    const at = `${large.toLocaleString('en')} tokens against ${small.toLocaleString('en')}`
    return [
      await grown(context, ours, 'list', `a page of 20, time of one, ${at}`, atMost(1.3)),
      await grown(context, ours, 'verify', `verify in process, time of one, ${at}`, atMost(1.3)),
      await grown(context, bare, 'verify', `HMAC + select, time of one, ${at}`),
    ]
  },
}

/** As many different secrets on both sides, or the larger would also have more last uses to keep. */
async function open({ own, subject }: Context, file: string, { dir, secrets }: Seeded): Promise<Child> {
  const child = own(startChild(file))
  await child.call('open', { subject: subject.name, dir, secrets: secrets.slice(0, 1_000) })
  return child
}

async function grown(
  { plan }: Context,
  { name, few, many }: Pair,
  what: 'list' | 'verify',
  work: string,
  goal?: Goal,
): Promise<Line> {
  const micros = (child: Child, ms: number) => async () => 1e6 / (await child.call<number>(what, { ms }))
  await micros(many, plan.warmupMs)()
  await micros(few, plan.warmupMs)()
  const ms = plan.durationMs / 4
  const times = await alternate(plan.rounds, { many: micros(many, ms), few: micros(few, ms) })
  return compare(
    6,
    work,
    { name: `${name}, many`, values: times.many, unit: 'µs' },
    { name: `${name}, few`, values: times.few, unit: 'µs' },
    goal,
  )
}
