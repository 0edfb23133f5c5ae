import type { Database } from 'better-sqlite3'
import { bareHash, bareSecret } from './bare.ts'

let made = 0

/** The changes of a token with nothing around them: one transaction of token row and audit row, durable at commit. */
export function bareChanges(db: Database) {
  const insert = db.prepare('insert into tokens values (?, ?, ?, 1, ?, ?, null, null)')
  const replace = db.prepare('update tokens set hash = ? where id = ? and revoked_at is null')
  const end = db.prepare('update tokens set revoked_at = ? where id = ?')
  const audit = db.prepare('insert into audit (at, action, actor, target, details) values (?, ?, ?, ?, ?)')
  const durably = (action: string, id: string, change: (now: string) => void) => {
    const now = new Date().toISOString()
    db.transaction(() => {
      change(now)
      audit.run(now, action, 'mkey_bench', id, '{}')
    }).immediate()
  }
  return {
    create() {
      const secret = bareSecret()
      const id = `mgtk_new_${process.pid}_${made++}`
      const expires = new Date(Date.now() + 30 * 86_400_000).toISOString()
      durably('create_token', id, (now) => insert.run(id, 'bench', bareHash(secret), now, expires))
      return { id, secret }
    },
    rotate(id: string) {
      const secret = bareSecret()
      durably('rotate_token', id, () => replace.run(bareHash(secret), id))
      return { id, secret }
    },
    revoke: (id: string) => durably('revoke_token', id, (now) => end.run(now, id)),
  }
}
