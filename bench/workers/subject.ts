import { answer } from '../lib/protocol.ts'
import { repeat } from '../lib/repeat.ts'
import type { OpenProduct, Subject } from '../lib/subject.ts'

interface Open {
  subject: string
  dir: string
  databaseUrl?: string
  secrets: string[]
}

let open: OpenProduct
let secrets: string[] = []
let ids: string[] = []
let cursor: string | undefined
// Uses are stored at least this often (security R46), so this much of a flush belongs to the time measured.
const flushEveryMs = 60_000

/** The subject opened in a process of its own; each measurement answers operations per second. */
answer({
  seed: async ({ subject, dir, count }: { subject: string; dir: string; count: number }) =>
    (await choose(subject)).seedTokens(dir, count),
  async open(args: Open) {
    open = await (await choose(args.subject)).openProduct(args.dir, args.databaseUrl)
    secrets = args.secrets
  },
  /** Uses each secret once and stores that: a first use is a write, and each secret has only one. */
  async useAll() {
    for (const secret of secrets) await open.verify(secret)
    await open.flush()
  },
  async verify({ ms }: { ms: number }) {
    const rate = await repeat(ms, (i) => open.verify(secrets[i % secrets.length] as string))
    const flushFrom = performance.now()
    await open.flush()
    const flushMs = performance.now() - flushFrom
    // What the flush threw out of memory comes back before the next round, as one of sixty seconds would have it.
    for (const secret of secrets.slice(0, 10_000)) await open.verify(secret)
    return rate / (1 + flushMs / flushEveryMs)
  },
  create: ({ ms }: { ms: number }) => repeat(ms, () => open.create()),
  async rotate({ ms }: { ms: number }) {
    while (ids.length < 200) ids = [...ids, (await open.create()).id]
    return repeat(ms, (i) => open.rotate(ids[i % ids.length] as string))
  },
  list: ({ ms }: { ms: number }) =>
    repeat(ms, async () => {
      const page = await open.list(20, cursor)
      if (page.count === 0 && cursor === undefined) throw new Error('an empty list')
      cursor = page.next ?? undefined
    }),
  createOne: () => open.create(),
  revokeOne: ({ id }: { id: string }) => open.revoke(id),
})

async function choose(name: string): Promise<Subject> {
  if (name === 'stand-in') return (await import('../stand-in.ts')).standIn
  return (await import('../product.ts')).product
}
