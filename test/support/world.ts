import { sql } from 'kysely'
import type { z } from 'zod'
import * as groups from '../../db/groups.ts'
import * as projects from '../../db/projects.ts'
import type { AuditRow, NewToken } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import * as settings from '../../db/settings.ts'
import * as tokens from '../../db/tokens.ts'
import * as users from '../../db/users.ts'
import { secretColumns } from '../../src/core/new-secret.ts'
import { makeId } from '../../src/domain/id.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import type { Settings } from '../../src/domain/settings.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import type { Instance } from './instance.ts'

let made = 0

/** An id of that kind, later than those before it. */
export function nextId(kind: 'token' | 'key' | 'group' | 'server' | 'project' | 'user' | 'config'): string {
  made += 1
  return makeId(kind, Date.now(), 1, made)
}

export const times = () => ({ created_at: new Date().toISOString(), updated_at: new Date().toISOString() })

/** Plants a credential with db functions: what no operation of these tests makes. */
export async function plantKey(
  { core }: Instance,
  kind: 'management' | 'user_key' | 'access',
  columns: Partial<NewToken> = {},
): Promise<{ id: string; secret: string }> {
  const secret = makeSecret(kind === 'management' ? 'mcpm' : 'mcpt')
  const id = nextId(kind === 'management' ? 'key' : 'token')
  await core.store.write((db) =>
    tokens.insert(db, {
      ...secretColumns(core.keys, secret),
      ...times(),
      id,
      kind,
      role: kind === 'management' ? 'operator' : null,
      source: 'operation',
      name: `planted ${made}`,
      metadata: '{}',
      all_servers: 0,
      enabled: 1,
      generation: 1,
      created_by: null,
      ...columns,
    }),
  )
  return { id, secret }
}

export async function plantUser(
  { core }: Instance,
  columns: { enabled?: number; email?: string; name?: string | null; password_hash?: string } = {},
): Promise<string> {
  const id = nextId('user')
  await core.store.write((db) =>
    users.insert(db, {
      id,
      email: `${id.toLowerCase()}@example.com`,
      name: 'Someone',
      password_hash: null,
      enabled: 1,
      ...times(),
      deleted_at: null,
      ...columns,
    }),
  )
  return id
}

export async function plantServer(
  { core }: Instance,
  columns: { config_id?: string; name?: string } = {},
): Promise<{ id: string; slug: string }> {
  const id = nextId('server')
  const slug = `server-${id.slice(-8).toLowerCase()}-${made}`
  await core.store.write((db) =>
    servers.insert(db, {
      id,
      slug,
      name: slug,
      metadata: '{}',
      args: '[]',
      tools: '{}',
      input_guardrails: '{}',
      output_guardrails: '{}',
      ...times(),
      ...columns,
    }),
  )
  return { id, slug }
}

export async function plantGroup({ core }: Instance, serverIds: string[]): Promise<string> {
  const id = nextId('group')
  await core.store.write(async (db) => {
    await groups.insert(db, { id, slug: id.toLowerCase(), name: id.slice(5), metadata: '{}', ...times() })
    await groups.addServers(db, id, serverIds)
  })
  return id
}

/** A project with its configuration, a member and a server. */
export async function plantProject(instance: Instance) {
  const config_id = nextId('config')
  const project_id = nextId('project')
  const user_id = await plantUser(instance)
  await instance.core.store.write(async (db) => {
    await db
      .insertInto('configs')
      .values({ id: config_id, name: config_id, ...times() })
      .execute()
    await projects.insert(db, { id: project_id, name: project_id, config_id, ...times() })
    await projects.addMember(db, project_id, user_id, new Date().toISOString())
  })
  const server = await plantServer(instance, { config_id })
  return { project_id, config_id, user_id, server }
}

export type Project = Awaited<ReturnType<typeof plantProject>>

/** Sets policy as `tokenwright settings set` would. */
export async function setPolicy({ core, clock }: Instance, changes: Partial<Settings>): Promise<void> {
  await core.store.write((db) => settings.save(db, changes, new Date(clock.now).toISOString()))
}

/** A token made by an operator, with its secret. */
export async function makeToken({ call }: Instance, input: Partial<z.input<typeof create_token.input>> = {}) {
  const { token, delivery } = await call('operator', create_token, { name: 'made', ...input })
  return { id: token.id, secret: delivery.secret ?? '', token }
}

/** Rows of the trail above `seq`. */
export async function trailAfter({ core }: Instance, seq: number): Promise<AuditRow[]> {
  return core.store.read.selectFrom('audit').selectAll().where('seq', '>', seq).orderBy('seq').execute()
}

export async function headSeq({ core }: Instance): Promise<number> {
  return (await core.store.read.selectFrom('audit_head').select('seq').executeTakeFirstOrThrow()).seq
}

/** The rows a piece of work left in the trail. */
export async function trailOf(instance: Instance, work: () => Promise<unknown>): Promise<AuditRow[]> {
  const before = await headSeq(instance)
  await work()
  return trailAfter(instance, before)
}

/** Everything in every table, as text, to see whether anything changed. */
export async function contents({ core }: Instance, tables: string[]): Promise<string> {
  const found: unknown[] = []
  for (const table of tables) {
    const { rows } = await sql.raw<Record<string, unknown>>(`select * from ${table}`).execute(core.store.read)
    found.push(table, rows.map((row) => JSON.stringify(row)).sort())
  }
  return JSON.stringify(found)
}

export const stateTables = [
  'tokens',
  'token_groups',
  'token_servers',
  'token_limits',
  'groups',
  'group_servers',
  'links',
  'idempotency',
  'revocations',
  'settings',
  'servers',
  'configs',
  'projects',
  'project_members',
  'environments',
  'users',
]

/** Where a secret, or any 16 characters of it, stands in the bytes; -1 = nowhere. */
export function leak(bytes: Buffer, secret: string): number {
  for (let at = 0; at + 16 <= secret.length; at++) {
    const found = bytes.indexOf(secret.slice(at, at + 16))
    if (found !== -1) return found
  }
  return -1
}
