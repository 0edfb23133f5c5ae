import { join } from 'node:path'
import * as keys from '../../db/keys.ts'
import type { Store } from '../../db/open.ts'
import * as settings from '../../db/settings.ts'
import * as tokens from '../../db/tokens.ts'
import { makeId } from '../domain/id.ts'
import type { Keys } from '../domain/keys.ts'
import { wellFormed } from '../domain/secret.ts'
import { auditRow } from './audit-row.ts'
import { StartRefused } from './master-key.ts'
import { newSecret, secretColumns } from './new-secret.ts'
import { writePrivately } from './private-file.ts'
import { type Turn, transaction } from './transaction.ts'

interface Bootstrap {
  store: Store
  keys: Keys
  dataDir: string
  clock: () => number
  /** TOKENWRIGHT_ADMIN_KEY. */
  given: string | undefined
}

/** Makes sure there is an admin key: the environment's, or one in `admin.key` (security R14). Answers the file's path if it made one. */
export async function bootstrapAdmin(start: Bootstrap): Promise<string | undefined> {
  const { store, given } = start
  const chain = { store, auditKey: start.keys.audit, clock: start.clock }
  if (given !== undefined) {
    const columns = secretColumns(start.keys, given)
    // The key that stands keeps its prefix, whatever the settings say by now.
    if ((await keys.findFromEnv(store.read))?.secret_hash.equals(columns.secret_hash)) return undefined
    await checkShape(store, given)
    await transaction(chain, (turn) => adopt(turn, columns))
    return undefined
  }
  if (await keys.anyAdmin(store.read)) return undefined
  const path = join(start.dataDir, 'admin.key')
  return transaction(chain, async (turn) => {
    if (await keys.anyAdmin(turn.db)) return undefined
    const { secret, columns } = newSecret(start.keys, (await settings.load(turn.db)).key_prefix)
    // Inside the transaction, so that the file holds the key of the one start that wins.
    await writePrivately(path, `${secret}\n`)
    await insertAdmin(turn, columns, 'bootstrap')
    return path
  })
}

async function checkShape(store: Store, given: string): Promise<void> {
  const { key_prefix } = await settings.load(store.read)
  if (wellFormed(given) && given.startsWith(`${key_prefix}_`)) return
  throw new StartRefused(
    `TOKENWRIGHT_ADMIN_KEY is not a management key: it must start with ${key_prefix}_ and have a valid checksum. Make one with: tokenwright key generate`,
  )
}

type Columns = ReturnType<typeof secretColumns>

async function adopt(turn: Turn, columns: Columns): Promise<void> {
  const known = await keys.findFromEnv(turn.db)
  if (known?.secret_hash.equals(columns.secret_hash)) return
  // A process with an old environment would bring back what was replaced because it had leaked.
  if (await keys.isTaken(turn.db, columns.secret_hash)) {
    throw new StartRefused(
      'TOKENWRIGHT_ADMIN_KEY is the secret of another credential of this store, or of one that was revoked or replaced. Make a new one with: tokenwright key generate',
    )
  }
  if (known === undefined) return insertAdmin(turn, columns, 'env')
  await tokens.end(turn.db, known.id, [known.secret_hash], turn.now)
  await keys.replaceSecret(turn.db, known.id, columns, known.generation + 1, turn.now)
  await turn.append([row(turn, 'replace_admin_key', known.id)])
}

async function insertAdmin(turn: Turn, columns: Columns, source: 'bootstrap' | 'env'): Promise<void> {
  const id = makeId('key', Date.parse(turn.now), turn.seq, 0)
  await tokens.insert(turn.db, {
    ...columns,
    id,
    kind: 'management',
    role: 'admin',
    source,
    name: source === 'env' ? 'admin (environment)' : 'admin (first start)',
    metadata: '{}',
    all_servers: 0,
    enabled: 1,
    generation: 1,
    created_at: turn.now,
    created_by: null,
    updated_at: turn.now,
  })
  await turn.append([row(turn, 'bootstrap_admin_key', id)])
}

function row(turn: Turn, action: string, id: string) {
  const actor = { kind: 'local' as const, id: 'first start', role: 'admin' as const }
  const caller = { actor, via: 'cli' as const, ip: null, client: null, request_id: '' }
  return auditRow(caller, { action, outcome: 'ok', target_id: id, details: {} }, turn.now)
}
