import type { AuditRow, NewToken } from '../../../db/schema.ts'
import { makeSecret } from '../../../src/domain/secret.ts'
import type { ServeOptions } from '../../../src/serve.ts'
import { type Answer, openServing, type Running } from '../../http/serving.ts'
import type { Database } from '../../support/databases.ts'
import { type Instance, openInstance } from '../../support/instance.ts'
import { type Project, plantKey, plantProject } from '../../support/world.ts'

export const formType = 'application/x-www-form-urlencoded'

/** Members of a form; a text goes as it stands. */
export type Form = Record<string, string> | string | Uint8Array<ArrayBuffer>

export interface Made {
  id: string
  secret: string
}

export interface World extends Running {
  /** A second process on the same store, to look behind the server and for what no operation makes. */
  beside: Instance
  /** A management key of each role. */
  keys: Record<'admin' | 'operator' | 'reader' | 'validator', Made>
  project: Project
  /** Calls an operation as admin; a refusal fails the test. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  op(name: string, input?: object): Promise<any>
  token(input?: object): Promise<Made>
  plant(columns?: Partial<NewToken>): Promise<Made>
  /** POSTs a form; `as` is a Bearer secret (the validator's without), or a whole header; null = none. */
  form(path: string, form: Form, as?: string | null, headers?: Record<string, string>): Promise<Answer>
  introspect(token: string, more?: Record<string, string>, as?: string): Promise<Answer>
  revoke(token: string, as?: string): Promise<Answer>
  /** Asks forward-auth with that secret; null = without. */
  verify(secret: string | null, path?: string, init?: RequestInit): Promise<Answer>
}

/** A real server with a project, a member and a key of each role. */
export async function openWorld(database: Database, options: Partial<ServeOptions> = {}): Promise<World> {
  const running = await openServing(database, options)
  const beside = await openInstance(database, running.place)
  const op: World['op'] = async (name, input = {}) => {
    const { status, json, text } = await running.call(name, input)
    if (status >= 400) throw new Error(`${name}: ${text}`)
    return json
  }
  const key = async (role: string): Promise<Made> => {
    const { key: made, secret } = await op('create_management_key', { name: role, role })
    return { id: made.id, secret }
  }
  const keys = {
    admin: await key('admin'),
    operator: await key('operator'),
    reader: await key('reader'),
    validator: await key('validator'),
  }
  const form: World['form'] = (path, members, as = keys.validator.secret, headers = {}) =>
    running.send(path, {
      method: 'POST',
      headers: {
        'content-type': formType,
        ...(as === null ? {} : { authorization: as.includes(' ') ? as : `Bearer ${as}` }),
        ...headers,
      },
      body:
        typeof members === 'string' || members instanceof Uint8Array
          ? members
          : new URLSearchParams(members).toString(),
    })
  return {
    ...running,
    beside,
    keys,
    project: await plantProject(beside),
    op,
    async token(input = {}) {
      const { token, delivery } = await op('create_token', { name: 'made', delivery: 'inline', ...input })
      return { id: token.id, secret: delivery.secret }
    },
    plant: (columns) => plantKey(beside, 'access', columns),
    form,
    introspect: (token, more = {}, as = keys.validator.secret) =>
      form('/oauth2/introspect', { token, ...more }, as),
    revoke: (token, as = keys.operator.secret) => form('/oauth2/revoke', { token }, as),
    verify(secret, path = '/auth/verify', init = {}) {
      const headers = new Headers(init.headers)
      if (secret !== null) headers.set('authorization', `Bearer ${secret}`)
      return running.send(path, { ...init, headers })
    },
    async close() {
      await beside.close()
      await running.close()
    },
  }
}

/** HTTP Basic of these two, as they stand. */
export function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
}

/** Every kind of secret that is no good, with one that is no secret at all. */
export async function badSecrets(world: World): Promise<Record<string, string>> {
  const past = new Date(world.clock.now - 60_000).toISOString()
  const future = new Date(world.clock.now + 3_600_000).toISOString()
  const planted = async (columns: Partial<NewToken>) => (await world.plant(columns)).secret
  const good = await world.token()
  const gone = (await world.op('create_user', { email: `gone-${good.id.toLowerCase()}@example.com` })).user.id
  await world.op('update_user', { user_id: gone, enabled: false })
  return {
    malformed: 'nonsense',
    'of other letters': 'mcpt_ü€',
    'with one more character': `${good.secret}x`,
    'in capitals': good.secret.toUpperCase(),
    'without its last character': good.secret.slice(0, -1),
    'an id': good.id,
    'a shown prefix': good.secret.slice(0, 12),
    unknown: makeSecret('mcpt'),
    revoked: await planted({ revoked_at: past }),
    disabled: await planted({ enabled: 0 }),
    'not yet valid': await planted({ not_before: future }),
    expired: await planted({ expires_at: past }),
    'of a disabled owner': await planted({ owner_id: gone }),
  }
}

/** What a refusal is made of, for tables. */
export function refused({ status, text, headers }: Answer): unknown[] {
  return [status, text, headers.get('www-authenticate')]
}

/** The rows of operations, without those of other processes' start. */
export function shown(rows: AuditRow[]): Partial<AuditRow>[] {
  return rows.map(({ action, outcome, target_id, via, actor_id, details }) => ({
    action,
    outcome,
    target_id,
    via,
    actor_id,
    details,
  }))
}
