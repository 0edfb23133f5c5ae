import { type Child, startChild } from '../lib/child.ts'
import type { Context, Row } from '../lib/context.ts'
import { atLeast, compare, type Line } from '../lib/line.ts'
import { alternate } from '../lib/rounds.ts'

/** A validation in process, last-used tracked, against HMAC and one prepared select. */
export const verify: Row = {
  number: 1,
  title: 'verify in process',
  async run(context) {
    const lines: Line[] = []
    for (const size of context.plan.sizes) lines.push(await atSize(context, size, 'secrets'))
    return [...lines, await atSize(context, context.plan.sizes.at(-1) ?? 0, 'wide')]
  },
}

async function atSize(context: Context, size: number, used: 'secrets' | 'wide'): Promise<Line> {
  const { plan, subject } = context
  const [ours, bare] = [context.own(startChild('subject')), context.own(startChild('bare'))]
  const [stored, plain] = [await context.seedSubject(size), await context.seedBare(size)]
  await ours.call('open', { subject: subject.name, dir: stored.dir, secrets: stored[used] })
  await bare.call('open', { dir: plain.dir, secrets: plain[used] })
  await ours.call('useAll')
  const run = (child: Child, ms: number) => () => child.call<number>('verify', { ms })
  await run(ours, plan.warmupMs)()
  await run(bare, plan.warmupMs)()
  const ms = plan.durationMs / 2
  const rates = await alternate(plan.rounds, { ours: run(ours, ms), bare: run(bare, ms) })
  await context.release()
  return compare(
    1,
    `verify in process, ${size.toLocaleString('en')} tokens, ${stored[used].length.toLocaleString('en')} in use, last use tracked`,
    { name: subject.name, values: rates.ours, unit: '/s' },
    { name: 'HMAC + select', values: rates.bare, unit: '/s' },
    atLeast(0.6),
  )
}
