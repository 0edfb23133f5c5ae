import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { apiKey, defaultKeyHasher } from '@better-auth/api-key'
import Database from 'better-sqlite3'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { shuffled } from '../lib/bare.ts'
import { listen, readJson, sendJson } from '../lib/listen.ts'
import { answer } from '../lib/protocol.ts'

interface Start {
  dir: string
  count: number
  /** `memory`: keys in a Map of the process, used as its secondary storage, its uses written behind the answer. */
  storage: 'database' | 'memory'
}

/**
 * better-auth's API-key verify over node:http. In its favour: rate limits off, no remaining-uses to count, its log off,
 * and `synchronous=NORMAL`, which loses acknowledged writes on power loss; its tables and indexes are its own.
 */
answer({
  async start({ dir, count }: Start) {
    mkdirSync(dir, { recursive: true })
    const db = new Database(join(dir, 'better-auth.db'))
    db.pragma('journal_mode = wal')
    db.pragma('synchronous = normal')
    db.pragma('mmap_size = 536870912')
    const auth = betterAuth({
      database: db,
      baseURL: 'http://127.0.0.1',
      secret: randomBytes(32).toString('base64'),
      logger: { disabled: true },
      rateLimit: { enabled: false },
      telemetry: { enabled: false },
      plugins: [apiKey({ rateLimit: { enabled: false } })],
    })
    await (await getMigrations(auth.options)).runMigrations()
    db.exec(`insert into user (id, name, email, emailVerified, createdAt, updatedAt)
      values ('u1', 'bench', 'bench@example.com', 1, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')`)
    const first = await auth.api.createApiKey({ body: { userId: 'u1', name: 'bench' } })
    const keys = await multiply(db, first.id, count)
    const port = await listen((request, response) =>
      readJson(request, ({ key }) => {
        auth.api.verifyApiKey({ body: { key: String(key) } }).then(
          (verdict) => sendJson(response, verdict),
          (error: Error) => response.writeHead(500).end(error.message),
        )
      }),
    )
    return { port, keys: [first.key, ...keys] }
  },
})

/** Copies the row that better-auth made, with keys of its own form and its own hash. */
async function multiply(db: Database.Database, id: string, count: number): Promise<string[]> {
  const row = db.prepare('select * from apikey where id = ?').get(id) as Record<string, unknown>
  const columns = Object.keys(row)
  const insert = db.prepare(
    `insert into apikey (${columns.map((name) => `"${name}"`)}) values (${columns.map((name) => `@${name}`)})`,
  )
  const keys = Array.from({ length: count - 1 }, makeKey)
  const hashes = await Promise.all(keys.map((key) => defaultKeyHasher(key)))
  db.transaction(() => {
    for (const [i, key] of keys.entries()) {
      insert.run({ ...row, id: `key${i}`, start: key.slice(0, 6), key: hashes[i] })
    }
  })()
  db.pragma('wal_checkpoint(truncate)')
  return shuffled(keys).slice(0, 9_999)
}

function makeKey(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  return Array.from(randomBytes(64), (byte) => letters.charAt(byte % 52)).join('')
}
