import { createHmac, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'

/** One row per token with what any validator needs, and one audit row per change. */
const schema = `
  create table if not exists tokens (id text primary key, name text not null, hash blob not null unique,
    enabled integer not null, created_at text not null, expires_at text, revoked_at text, last_used_at text) strict;
  create table if not exists audit (seq integer primary key, at text not null, action text not null,
    actor text not null, target text not null, details text not null) strict`

/** So many secrets are drawn from a store: more than a cache of the tokens in use would hold. */
export const wideSample = 100_000

const pepper = createHmac('sha256', 'bench').update('pepper').digest()

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** As long as a real secret, 48 characters, so that the HMAC costs the same. */
export function bareSecret(): string {
  let text = 'mcpt_'
  for (const byte of randomBytes(43)) text += digits.charAt(byte % 62)
  return text
}

export function bareHash(secret: string): Buffer {
  return createHmac('sha256', pepper).update(secret).digest()
}

/** The same pragmas as the product's connections, or the ratio would tell of SQLite and not of us. */
export function openBare(dir: string, readonly = false): Database.Database {
  mkdirSync(dir, { recursive: true })
  const db = new Database(join(dir, 'bare.db'), { readonly })
  if (!readonly) db.pragma('journal_mode = wal')
  db.pragma('synchronous = full')
  db.pragma('mmap_size = 536870912')
  if (!readonly) db.exec(schema)
  return db
}

/** A validation without anything around it: HMAC, one prepared select by the unique hash, the verdict. */
export function bareVerifier(db: Database.Database): (secret: string) => boolean {
  const select = db.prepare<
    [Buffer],
    { enabled: number; expires_at: string | null; revoked_at: string | null }
  >('select id, name, enabled, expires_at, revoked_at from tokens where hash = ?')
  return (secret) => {
    const row = select.get(bareHash(secret))
    if (row === undefined || row.revoked_at !== null || row.enabled !== 1) return false
    return row.expires_at === null || row.expires_at > new Date().toISOString()
  }
}

/** Inserts `count` tokens at once and answers the secrets of up to `wideSample`, evenly drawn from them. */
export function seedBare(dir: string, count: number): string[] {
  const db = openBare(dir)
  db.pragma('cache_size = -400000')
  const insert = db.prepare('insert into tokens values (?, ?, ?, 1, ?, ?, null, null)')
  const now = new Date().toISOString()
  const expires = new Date(Date.now() + 30 * 86_400_000).toISOString()
  const every = Math.max(1, Math.floor(count / wideSample))
  const sample: string[] = []
  db.transaction(() => {
    for (let i = 0; i < count; i++) {
      const secret = bareSecret()
      insert.run(`mgtk_${String(i).padStart(26, '0')}`, `token ${i}`, bareHash(secret), now, expires)
      if (i % every === 0 && sample.length < wideSample) sample.push(secret)
    }
  })()
  db.pragma('wal_checkpoint(truncate)')
  db.close()
  return shuffled(sample)
}

/** In random order, so that neighbours in the table are not asked for in turn. */
export function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value)
}
