import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Kysely, PostgresDialect, SqliteDialect } from 'kysely'
import pg from 'pg'
import * as audit from '../../db/audit.ts'
import * as meta from '../../db/meta.ts'
import { type Engine, migrate } from '../../db/migrate.ts'
import type { Schema } from '../../db/schema.ts'
import { masterFact } from '../../src/core/master-key.ts'
import { secretColumns } from '../../src/core/new-secret.ts'
import { deriveKeys, fingerprint, formatMaster } from '../../src/domain/keys.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import type { Place } from './databases.ts'
import { nextId } from './world.ts'

const at = '2026-01-01T00:00:00.000Z'

/** What stands in a store of the first version: secrets by what is true of them. */
export interface OldStore {
  id: string
  live: string
  predecessor: string
  revoked: string
  admin: string
}

/** The engine and a plain connection, past everything that would bring the schema up to date. */
export function rawStore({ location }: Place): { engine: Engine; db: Kysely<Schema> } {
  if (!location.startsWith('postgres')) {
    const database = new Database(location)
    return { engine: 'sqlite', db: new Kysely<Schema>({ dialect: new SqliteDialect({ database }) }) }
  }
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, Number)
  const pool = new pg.Pool({ connectionString: location, max: 1, types })
  return { engine: 'postgres', db: new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) }) }
}

/** Makes a store as the first version of the schema left it: its statements, its columns, rows in use, a trail, its key. */
export async function makeOldStore(place: Place): Promise<OldStore> {
  const master = randomBytes(32)
  const keys = deriveKeys(master)
  writeFileSync(join(place.dataDir, 'secret.key'), `${formatMaster(master)}\n`, { mode: 0o600 })
  const made = {
    id: nextId('token'),
    live: makeSecret('mcpt'),
    predecessor: makeSecret('mcpt'),
    revoked: makeSecret('mcpt'),
    admin: makeSecret('mcpm'),
  }
  writeFileSync(join(place.dataDir, 'admin.key'), `${made.admin}\n`, { mode: 0o600 })
  const { engine, db } = rawStore(place)
  const row = (id: string, secret: string) => ({
    ...secretColumns(keys, secret),
    id,
    name: id,
    metadata: '{}',
    source: 'operation' as const,
    enabled: 1,
    all_servers: 0,
    generation: 1,
    created_at: at,
    created_by: null,
    updated_at: at,
  })
  try {
    await migrate(db, engine, 1)
    await meta.setOnce(db, masterFact, fingerprint(master))
    const access = { kind: 'access' as const, role: null }
    const { secret_hash } = secretColumns(keys, made.predecessor)
    const [revoked, admin] = [nextId('token'), nextId('key')]
    await db
      .insertInto('tokens')
      .values([
        {
          ...row(made.id, made.live),
          ...access,
          generation: 3,
          previous_hash: secret_hash,
          previous_until: '2990-01-01T00:00:00.000Z',
          use_count: 41,
          last_used_at: at,
          last_used_ip: '192.0.2.1',
          secret_used_at: at,
        },
      ])
      .execute()
    await db
      .insertInto('tokens')
      .values({ ...row(revoked, made.revoked), ...access, revoked_at: at })
      .execute()
    await db
      .insertInto('tokens')
      .values({ ...row(admin, made.admin), kind: 'management', role: 'admin', source: 'bootstrap' })
      .execute()
    const head = await audit.head(db)
    const event = {
      at,
      actor_kind: 'local',
      actor_id: 'old',
      actor_name: null,
      role: 'admin',
      via: 'cli',
      ip: null,
      client_name: null,
      client_version: null,
      request_id: 'req_old',
      outcome: 'ok' as const,
      details: '{}',
    }
    await audit.append(db, keys.audit, head, [
      { ...event, action: 'create_token', target_id: made.id },
      { ...event, action: 'revoke_token', target_id: revoked },
    ])
  } finally {
    await db.destroy()
  }
  return made
}
