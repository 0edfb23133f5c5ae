import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { apiKey } from '@better-auth/api-key'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import Database from 'better-sqlite3'
import { multiplyEntry, multiplyRow, storageOf } from '../lib/better-auth-keys.ts'
import { listen, readJson, sendJson } from '../lib/listen.ts'
import { answer } from '../lib/protocol.ts'

interface Start {
  dir: string
  count: number
  /** `memory`: its secondary storage is a Map of the process, and uses are written behind the answer. */
  storage: 'database' | 'memory'
}

/**
 * better-auth's API-key verify over node:http. In its favour: rate limits off, no remaining uses to count, its log off,
 * and `synchronous=NORMAL`, which loses acknowledged writes on power loss; its tables and indexes are its own.
 */
answer({
  async start({ dir, count, storage }: Start) {
    const db = openDatabase(dir)
    const entries = new Map<string, string>()
    const inMemory = {
      storage: 'secondary-storage',
      customStorage: storageOf(entries),
      deferUpdates: true,
    } as const
    const auth = betterAuth({
      database: db,
      baseURL: 'http://127.0.0.1',
      secret: randomBytes(32).toString('base64'),
      logger: { disabled: true },
      rateLimit: { enabled: false },
      telemetry: { enabled: false },
      advanced: { backgroundTasks: { handler: () => {} } },
      plugins: [apiKey({ rateLimit: { enabled: false }, ...(storage === 'memory' ? inMemory : {}) })],
    })
    await (await getMigrations(auth.options)).runMigrations()
    db.exec(`insert into user (id, name, email, emailVerified, createdAt, updatedAt)
      values ('u1', 'bench', 'bench@example.com', 1, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')`)
    const first = await auth.api.createApiKey({ body: { userId: 'u1', name: 'bench' } })
    const more = count - 1
    const keys =
      storage === 'memory'
        ? await multiplyEntry(entries, first.id, more)
        : await multiplyRow(db, first.id, more)
    const port = await listen((request, response) =>
      readJson(request, ({ key }) => {
        auth.api.verifyApiKey({ body: { key: String(key) } }).then(
          (verdict) => sendJson(response, verdict),
          (error: Error) => response.writeHead(500).end(error.message),
        )
      }),
    )
    return { port, keys: [first.key, ...keys.slice(0, 9_999)] }
  },
})

function openDatabase(dir: string): Database.Database {
  mkdirSync(dir, { recursive: true })
  const db = new Database(join(dir, 'better-auth.db'))
  db.pragma('journal_mode = wal')
  db.pragma('synchronous = normal')
  db.pragma('mmap_size = 536870912')
  return db
}
