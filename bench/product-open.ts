import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { openApp } from '../src/app.ts'
import type { Caller } from '../src/core/context.ts'
import { invoke } from '../src/core/invoke.ts'
import { secretColumns } from '../src/core/new-secret.ts'
import { makeId } from '../src/domain/id.ts'
import { makeSecret } from '../src/domain/secret.ts'
import { makeLog } from '../src/log.ts'
import { create_token } from '../tools/tokens/create_token.ts'
import { list_magic_tokens } from '../tools/tokens/list_magic_tokens.ts'
import { revoke_token } from '../tools/tokens/revoke_token.ts'
import { rotate_token } from '../tools/tokens/rotate_token.ts'
import { shuffled, wideSample } from './lib/bare.ts'
import type { OpenProduct } from './lib/subject.ts'

const caller: Caller = {
  actor: { kind: 'local', id: 'bench', role: 'admin' },
  via: 'cli',
  ip: null,
  client: null,
  request_id: 'bench',
}

const fileOf = (dataDir: string) => join(dataDir, 'tokenwright.db')

function open(dataDir: string, databaseUrl?: string) {
  mkdirSync(dataDir, { recursive: true })
  return openApp({ dataDir, location: databaseUrl ?? fileOf(dataDir), serving: true, log: makeLog('error') })
}

/** The product in this process, called as its command line calls it. */
export async function openProduct(dataDir: string, databaseUrl?: string): Promise<OpenProduct> {
  const { core, close } = await open(dataDir, databaseUrl)
  return {
    verify: async (secret) => (await core.verifier.verify(secret, {})).verdict === 'valid',
    async create() {
      const { token, delivery } = await invoke(core, caller, create_token, {
        name: 'bench',
        delivery: 'inline',
      })
      return { id: token?.id ?? '', secret: delivery?.secret ?? '' }
    },
    rotate: (id) => invoke(core, caller, rotate_token, { token_id: id, delivery: 'inline' }),
    revoke: (id) => invoke(core, caller, revoke_token, { token_id: id }),
    async list(limit, cursor) {
      const asked = { limit, ...(cursor === undefined ? {} : { cursor }) }
      const { tokens, next_cursor } = await invoke(core, caller, list_magic_tokens, asked)
      return { count: tokens?.length ?? 0, next: next_cursor ?? null }
    },
    flush: () => core.uses.flush(),
    close,
  }
}

/** Copies the row of a token that the product made, under secrets and ids of the product's own making. */
export async function seedTokens(dataDir: string, count: number): Promise<string[]> {
  const { core, close } = await open(dataDir)
  const made = await invoke(core, caller, create_token, { name: 'bench', delivery: 'inline' })
  await close()
  const db = new Database(fileOf(dataDir))
  db.pragma('cache_size = -600000')
  db.pragma('synchronous = off')
  const row = db.prepare('select * from tokens where id = ?').get(made.token?.id) as Record<string, unknown>
  const columns = Object.keys(row)
  const insert = db.prepare(`insert into tokens (${columns}) values (${columns.map((name) => `@${name}`)})`)
  const every = Math.max(1, Math.floor(count / wideSample))
  const sample: string[] = []
  const now = Date.now()
  db.transaction(() => {
    for (let i = 0; i < count; i++) {
      const secret = makeSecret('mcpt')
      const id = makeId('token', now, 1 + Math.floor(i / 60_000), i % 60_000)
      insert.run({ ...row, ...secretColumns(core.keys, secret), id, name: `token ${i}` })
      if (i % every === 0 && sample.length < wideSample) sample.push(secret)
    }
  })()
  db.pragma('wal_checkpoint(truncate)')
  db.close()
  return shuffled(sample)
}
