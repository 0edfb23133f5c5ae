import { expect } from 'vitest'
import type { ServeOptions } from '../../../src/serve.ts'
import { type Answer, openServing, type Running } from '../../http/serving.ts'
import type { Database } from '../../support/databases.ts'
import { type Instance, openInstance } from '../../support/instance.ts'
import { type Project, plantProject } from '../../support/world.ts'

/** A token as this dialect answers it; `token` is its secret where one was just made. */
export interface Token {
  token: string
  id: string
  name: string
  prefix: string
  status: string
  expires_at: string
  allowed_ips: string[] | null
  all_servers: boolean
  scopes: { server_id: string; server_name: string; server_slug: string }[]
  last_used_at: string | null
  created_at: string
  revoked_at: string | null
}

interface Asked {
  /** The secret; null = none. */
  as?: string | null
  /** A text is sent as it stands, anything else as JSON; neither with a Content-Type. */
  body?: unknown
  headers?: Record<string, string>
}

export interface World extends Running {
  /** Management keys by role. */
  keys: Record<'admin' | 'operator' | 'reader' | 'validator', string>
  /** A second process on the same store, for what no operation makes. */
  beside: Instance
  /** A project with a configuration, a server in it and a member. */
  project: Project
  /** An API key of that member for that project. */
  userKey: { id: string; secret: string }
  /** Another one; `limits` are what an operator then makes of it with PATCH. */
  newUserKey(project: Project, limits?: object): Promise<{ id: string; secret: string }>
  /** `METHOD /path`, as an operator unless said. */
  ask(line: string, asked?: Asked): Promise<Answer>
  /** A token made with that secret, or by an operator. */
  make(body?: object, as?: string): Promise<Token>
  /** Calls an operation as admin; a refusal fails the test. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  op(name: string, input: object): Promise<any>
  /** Now by the clock of the server, and some ms later. */
  later(ms: number): string
}

/** A real server with everybody this dialect knows. */
export async function openWorld(database: Database, options: Partial<ServeOptions> = {}): Promise<World> {
  const running = await openServing(database, options)
  const beside = await openInstance(database, running.place)
  const op: World['op'] = async (name, input) => {
    const { status, json, text } = await running.call(name, input)
    if (status >= 400) throw new Error(`${name}: ${text}`)
    return json
  }
  const key = async (role: string): Promise<string> =>
    (await op('create_management_key', { name: role, role })).secret
  const keys = {
    admin: running.adminKey,
    operator: await key('operator'),
    reader: await key('reader'),
    validator: await key('validator'),
  }
  const project = await plantProject(beside)
  const ask: World['ask'] = (line, { as = keys.operator, body, headers = {} } = {}) => {
    const [method = '', path = ''] = line.split(' ')
    return running.send(path, {
      method,
      headers: { ...(as === null ? {} : { authorization: `Bearer ${as}` }), ...headers },
      ...(body === undefined ? {} : { body: bytesOf(body) }),
    })
  }
  const newUserKey: World['newUserKey'] = async ({ user_id, project_id }, limits) => {
    const { token, delivery } = await op('generate_user_key', { user_id, project_id })
    if (limits !== undefined) {
      const narrowed = await ask(`PATCH /api/tokens/${token.id}`, { body: limits })
      expect(narrowed.status).toBe(200)
    }
    return { id: token.id, secret: delivery.secret }
  }
  return {
    ...running,
    keys,
    beside,
    project,
    userKey: await newUserKey(project),
    newUserKey,
    ask,
    op,
    async make(body = {}, as = keys.operator) {
      const { status, json, text } = await ask('POST /api/tokens', { as, body: { name: 'made', ...body } })
      if (status !== 201) throw new Error(text)
      return json
    },
    later: (ms) => new Date(running.clock.now + ms).toISOString(),
    async close() {
      await beside.close()
      await running.close()
    },
  }
}

/** Bytes, because fetch adds a Content-Type to a text. */
function bytesOf(body: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
}

/** A refusal of this dialect: status, code and message. */
export function told({ status, json }: Answer): [number, number, string] {
  return [status, json.error.code, json.error.message]
}

export const unauthorized = '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Unauthorized"},"id":null}'
export const forbidden = '{"jsonrpc":"2.0","error":{"code":-32003,"message":"Forbidden"},"id":null}'
export const ipNotAllowed = '{"jsonrpc":"2.0","error":{"code":-32003,"message":"IP Not Allowed"},"id":null}'
export const notFound = '{"jsonrpc":"2.0","error":{"code":-32004,"message":"Not Found"},"id":null}'

export const day = 86_400_000
