import { join } from 'node:path'
import { bareVerifier, openBare, seedBare } from './lib/bare.ts'
import { bareChanges } from './lib/bare-changes.ts'
import { startChild } from './lib/child.ts'
import { buildDir } from './lib/compile.ts'
import type { Subject } from './lib/subject.ts'
import { lookupTarget } from './lib/targets.ts'

/** The baselines in the product's place: every ratio to a baseline should be 1, and how far it is off is the noise. */
export const standIn: Subject = {
  name: 'stand-in',
  seedTokens: async (dataDir, count) => seedBare(dataDir, count),
  async openProduct(dataDir) {
    const db = openBare(dataDir)
    const [verify, changes] = [bareVerifier(db), bareChanges(db)]
    const page = db.prepare('select * from tokens where id > ? order by id limit ?')
    return {
      verify: async (secret) => verify(secret),
      create: async () => changes.create(),
      rotate: async (id) => changes.rotate(id),
      revoke: async (id) => changes.revoke(id),
      async list(limit, cursor = '') {
        const rows = page.all(cursor, limit) as { id: string }[]
        return { count: rows.length, next: rows.length < limit ? null : (rows.at(-1)?.id ?? null) }
      },
      flush: async () => {},
      close: async () => void db.close(),
    }
  },
  async startServer(dir) {
    const child = startChild('bare-lookup')
    const port = await child.call<number>('start', { dir })
    return { url: `http://127.0.0.1:${port}`, port, pid: child.pid, key: '', stop: child.stop }
  },
  startGateway: async () => {
    throw new Error('a stand-in has no gateway')
  },
  stdioCommand: () => ({ command: process.execPath, args: [join(buildDir, 'bare-stdio.js')], env: {} }),
  validateTarget: lookupTarget,
  introspectTarget: lookupTarget,
  forwardTarget: lookupTarget,
  mcpTarget: async (server, secrets) => lookupTarget(server, secrets),
}
