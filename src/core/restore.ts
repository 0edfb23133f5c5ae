import { setImmediate as turn } from 'node:timers/promises'
import { type Row, rowOf } from '../../db/backup.ts'
import * as keys from '../../db/keys.ts'
import * as limits from '../../db/limits.ts'
import type { Db } from '../../db/open.ts'
import { clear, insert } from '../../db/restore.ts'
import * as revocations from '../../db/revocations.ts'
import type { TokenRow } from '../../db/schema.ts'
import type { Backup, Cell } from '../domain/backup.ts'
import { type BackupTable, backupTableNames } from '../domain/backup-tables.ts'
import type { Context } from './context.ts'
import { markOf } from './password.ts'

/** How many rows are made ready at once. */
const rowsAtOnce = 200

/** What lives after a restore, by kind of thing. */
export type Restored = Record<
  'users' | 'projects' | 'configs' | 'servers' | 'groups' | 'tokens' | 'user_keys' | 'management_keys',
  number
>

/** Empties the instance but for the keys that go on working; answers those (security R15). */
export async function clearInstance(ctx: Context): Promise<TokenRow[]> {
  const kept = await keptKeys(ctx)
  await clear(
    ctx.db,
    kept.map(({ id }) => id),
  )
  return kept
}

/** The calling key; a caller at the command line has none, so there it is every admin key that works now. */
async function keptKeys({ db, actor, now }: Context): Promise<TokenRow[]> {
  if (actor.kind !== 'management') return keys.allUsableAdmins(db, now)
  const own = await keys.find(db, {}, actor.id)
  return own === undefined ? [] : [own]
}

/** Puts a checked backup in the place of what is there; secrets that were ended on purpose stay dead (security R57). */
export async function restore(
  ctx: Context,
  { tables }: Backup,
): Promise<{ restored: Restored; revoked_since: number; passwords_ended: number }> {
  const kept = await clearInstance(ctx)
  const put = putting(kept)
  const restored = { ...nothing }
  let revoked_since = 0
  let passwords_ended = 0
  for (const name of backupTableNames) {
    const { rows } = tables[name]
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      const some = rows.slice(from, from + rowsAtOnce).map((cells) => rowOf(name, cells as Cell[]))
      if (name === 'tokens') revoked_since += await endEnded(ctx, some)
      if (name === 'users') passwords_ended += await endPasswords(ctx, some)
      for (const row of some) if (lives(row)) count(restored, name, row)
      await put(ctx.db, name, some)
      await turn()
    }
  }
  return { restored, revoked_since, passwords_ended }
}

const nothing: Restored = {
  users: 0,
  projects: 0,
  configs: 0,
  servers: 0,
  groups: 0,
  tokens: 0,
  user_keys: 0,
  management_keys: 0,
}

const byKind = { access: 'tokens', user_key: 'user_keys', management: 'management_keys' } as const

function count(restored: Restored, table: BackupTable, row: Row): void {
  const name = table === 'tokens' ? byKind[row['kind'] as keyof typeof byKind] : table
  if (name in restored) restored[name as keyof Restored] += 1
}

function lives({ revoked_at = null, deleted_at = null }: Row): boolean {
  return revoked_at === null && deleted_at === null
}

/** Revokes what has been ended since the backup; answers how many tokens that are. */
async function endEnded({ db, now }: Context, tokens: Row[]): Promise<number> {
  const digests = tokens.flatMap((row) => [row['secret_hash'], row['previous_hash']]).filter(Buffer.isBuffer)
  const ended = await revocations.among(db, digests)
  const isEnded = (digest: Row[string] | undefined) =>
    Buffer.isBuffer(digest) && ended.has(digest.toString('hex'))
  let since = 0
  for (const row of tokens) {
    if (isEnded(row['previous_hash']))
      Object.assign(row, { previous_hash: null, previous_until: null, previous_used_at: null })
    if (!isEnded(row['secret_hash']) || row['revoked_at'] !== null) continue
    Object.assign(row, { revoked_at: now, updated_at: now })
    since += 1
  }
  return since
}

/** Takes passwords away that were replaced since the backup, or whose user was deleted; answers how many. */
async function endPasswords({ db, now }: Context, users: Row[]): Promise<number> {
  const withPassword = users.flatMap((row) => {
    const { password_hash } = row
    return typeof password_hash === 'string' ? [{ row, mark: markOf(password_hash) }] : []
  })
  const ended = await revocations.among(
    db,
    withPassword.map(({ mark }) => mark),
  )
  const found = withPassword.filter(({ mark }) => ended.has(mark.toString('hex')))
  for (const { row } of found) Object.assign(row, { password_hash: null, updated_at: now })
  return found.length
}

/**
 * Puts rows in beside the kept keys: a kept key stays as it is now, with its uses, and what the environment named remains
 * one key (security R14). Of two counts against one limit the higher one stands.
 */
function putting(kept: readonly TokenRow[]) {
  const digests = new Set(kept.map(({ secret_hash }) => secret_hash.toString('hex')))
  const named = kept.some(({ source }) => source === 'env')
  const leftOut = new Set<unknown>(kept.map(({ id }) => id))
  return async (db: Db, table: BackupTable, rows: Row[]): Promise<void> => {
    if (table === 'tokens') {
      for (const row of rows)
        if (digests.has((row['secret_hash'] as Buffer).toString('hex'))) leftOut.add(row['id'])
      const others = rows.filter((row) => !leftOut.has(row['id']))
      const renamed = others.map((row) =>
        named && row['source'] === 'env' ? { ...row, source: 'operation' } : row,
      )
      return insert(db, table, renamed)
    }
    if (table === 'token_limits') return limits.merge(db, rows as never)
    return insert(
      db,
      table,
      table === 'token_uses' ? rows.filter((row) => !leftOut.has(row['token_id'])) : rows,
    )
  }
}
