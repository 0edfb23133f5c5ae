import { startChild } from '../lib/child.ts'
import type { Context, Row } from '../lib/context.ts'
import { type Line, none } from '../lib/line.ts'
import type { Target } from '../lib/load.ts'

/** One process revokes, another is asked at once: how many answers are stale. */
export const revoke: Row = {
  number: 8,
  title: 'revoke → refused elsewhere',
  async run(context) {
    const { dir } = await context.seedSubject(1_000, 'revoke')
    const lines = [await onStore(context, dir, 'SQLite')]
    if (context.databaseUrl !== undefined) {
      lines.push(await onStore(context, context.dir('postgres'), 'PostgreSQL', context.databaseUrl))
    }
    return lines
  },
}

async function onStore(context: Context, dir: string, store: string, databaseUrl?: string): Promise<Line> {
  const { subject, plan, own } = context
  const server = own(await subject.startServer(dir, databaseUrl))
  const worker = own(startChild('subject'))
  await worker.call('open', { subject: subject.name, dir, databaseUrl, secrets: [] })
  let stale = 0
  for (let i = 0; i < plan.revocations; i++) {
    const { id, secret } = await worker.call<{ id: string; secret: string }>('createOne')
    const target = subject.validateTarget(server, [secret])
    if (!(await accepts(target))) throw new Error('a new token is refused by the other process')
    await worker.call('revokeOne', { id })
    if (await accepts(target)) stale += 1
  }
  return {
    row: 8,
    work: `revoke in one process, ask another at once, ${store}`,
    subject: `${subject.name} ${stale} stale of ${plan.revocations.toLocaleString('en')}`,
    baseline: '',
    ratio: String(stale),
    spread: '',
    goal: none.text,
    met: none.met(stale) ? 'yes' : 'no',
  }
}

/** Whether the endpoint says that the secret is good; an answer of neither kind is an error. */
async function accepts({ port, path, headers, bodies, expect, refuse }: Target): Promise<boolean> {
  const sent = { 'content-type': 'application/json', ...headers }
  const url = `http://127.0.0.1:${port}${path}`
  const text = await (await fetch(url, { method: 'POST', headers: sent, body: bodies[0] ?? '' })).text()
  if (text.includes(expect)) return true
  if (text.includes(refuse?.expect ?? '')) return false
  throw new Error(`neither yes nor no: ${text.slice(0, 200)}`)
}
