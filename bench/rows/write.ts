import { type Child, startChild } from '../lib/child.ts'
import type { Row } from '../lib/context.ts'
import { atLeast, compare, type Line } from '../lib/line.ts'
import { alternate } from '../lib/rounds.ts'

/** Durable changes, one after another, against a transaction of token row and audit row with `synchronous=FULL`. */
export const write: Row = {
  number: 5,
  title: 'create and rotate, durable',
  async run(context) {
    const { plan, subject } = context
    const size = Math.min(100_000, plan.sizes.at(-1) ?? 0)
    const [ours, bare] = [context.own(startChild('subject')), context.own(startChild('bare'))]
    await ours.call('open', { subject: subject.name, ...(await context.seedSubject(size, 'write')) })
    await bare.call('open', await context.seedBare(size, 'write'))
    const lines: Line[] = []
    for (const change of ['create', 'rotate'] as const) {
      const run = (child: Child, ms: number) => () => child.call<number>(change, { ms })
      await run(ours, plan.warmupMs)()
      await run(bare, plan.warmupMs)()
      const ms = plan.durationMs / 2
      const rates = await alternate(plan.rounds, { ours: run(ours, ms), bare: run(bare, ms) })
      lines.push(
        compare(
          5,
          `${change} a token, durable, ${size.toLocaleString('en')} tokens`,
          { name: subject.name, values: rates.ours, unit: '/s' },
          { name: 'token row + audit row', values: rates.bare, unit: '/s' },
          atLeast(0.5),
        ),
      )
    }
    return lines
  },
}
