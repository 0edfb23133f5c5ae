import type { ServeOptions } from '../../../src/serve.ts'
import { type Answer, openServing, type Running } from '../../http/serving.ts'
import type { Database } from '../../support/databases.ts'
import type { Instance } from '../../support/instance.ts'
import { openBeside, type Send, sendAs } from '../support.ts'

export const roles = ['admin', 'operator', 'reader', 'validator'] as const

/** A server with a key of each role. */
export interface World {
  running: Running
  /** The same store, opened a second time. */
  beside: Instance
  keys: Record<(typeof roles)[number], string>
  /** Sends as admin, operator or reader. */
  admin: Send
  operator: Send
  reader: Send
  as(key: string | null): Send
  /** Makes a token, with its secret. */
  token(body?: object): Promise<Thing & { secret: string }>
  group(body?: object): Promise<Thing>
  server(body?: object): Promise<Thing>
  close(): Promise<void>
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
export type Thing = { id: string } & Record<string, any>

export async function openWorld(database: Database, options: Partial<ServeOptions> = {}): Promise<World> {
  const running = await openServing(database, options)
  const beside = await openBeside(database, running)
  const key = async (role: string) =>
    (await running.call('create_management_key', { name: role, role })).json.secret as string
  const keys = {
    admin: running.adminKey,
    operator: await key('operator'),
    reader: await key('reader'),
    validator: await key('validator'),
  }
  const as = (secret: string | null) => sendAs(running, secret)
  const admin = as(keys.admin)
  const made = async (sent: Promise<Answer>) => {
    const { status, json, text } = await sent
    if (status !== 200) throw new Error(text)
    return json
  }
  return {
    running,
    beside,
    keys,
    as,
    admin,
    operator: as(keys.operator),
    reader: as(keys.reader),
    token: (body = {}) => made(admin('POST /magic-mcp-tokens', { name: 'a token', ...body })),
    group: (body = {}) => made(admin('POST /magic-mcp-groups', { name: 'a group', ...body })),
    server: (body = {}) => made(admin('POST /magic-mcp-servers', { name: 'a server', ...body })),
    async close() {
      await beside.close()
      await running.close()
    },
  }
}

/** The constant bodies of the contract, section 3. */
export const unauthorized =
  '{"object":"error","ok":false,"status":401,"code":"unauthorized","message":"The API key is missing or not valid."}'
export const forbidden =
  '{"object":"error","ok":false,"status":403,"code":"forbidden","message":"This key may not do that."}'

export const unknownId = {
  token: 'mgtk_0000000000000000000000',
  group: 'mggr_0000000000000000000000',
  server: 'mgsr_0000000000000000000000',
}

/** Every route of the contract, section 2, with a good body; `:id` stands for the id of a thing of that kind. */
export const routes: { line: string; kind: 'token' | 'group' | 'server'; body?: object; may: string }[] = [
  { line: 'GET /magic-mcp-tokens', kind: 'token', may: 'reader' },
  { line: 'POST /magic-mcp-tokens', kind: 'token', body: { name: 'x' }, may: 'operator' },
  { line: 'GET /magic-mcp-tokens/:id', kind: 'token', may: 'reader' },
  { line: 'PATCH /magic-mcp-tokens/:id', kind: 'token', body: { name: 'x' }, may: 'operator' },
  {
    line: 'POST /magic-mcp-tokens/:id/add-groups',
    kind: 'token',
    body: { magic_mcp_group_ids: [] },
    may: 'operator',
  },
  {
    line: 'POST /magic-mcp-tokens/:id/remove-groups',
    kind: 'token',
    body: { magic_mcp_group_ids: [] },
    may: 'operator',
  },
  { line: 'POST /magic-mcp-tokens/:id/rotate', kind: 'token', body: {}, may: 'operator' },
  { line: 'DELETE /magic-mcp-tokens/:id', kind: 'token', may: 'operator' },
  { line: 'GET /magic-mcp-groups', kind: 'group', may: 'reader' },
  { line: 'POST /magic-mcp-groups', kind: 'group', body: { name: 'x' }, may: 'operator' },
  { line: 'GET /magic-mcp-groups/:id', kind: 'group', may: 'reader' },
  { line: 'PATCH /magic-mcp-groups/:id', kind: 'group', body: { name: 'x' }, may: 'operator' },
  {
    line: 'POST /magic-mcp-groups/:id/add-servers',
    kind: 'group',
    body: { magic_mcp_server_ids: [] },
    may: 'operator',
  },
  {
    line: 'POST /magic-mcp-groups/:id/remove-servers',
    kind: 'group',
    body: { magic_mcp_server_ids: [] },
    may: 'operator',
  },
  { line: 'DELETE /magic-mcp-groups/:id', kind: 'group', may: 'operator' },
  { line: 'GET /magic-mcp-servers', kind: 'server', may: 'reader' },
  { line: 'POST /magic-mcp-servers', kind: 'server', body: { name: 'x' }, may: 'admin' },
  { line: 'GET /magic-mcp-servers/:id', kind: 'server', may: 'reader' },
  { line: 'PATCH /magic-mcp-servers/:id', kind: 'server', body: { name: 'x' }, may: 'admin' },
  { line: 'DELETE /magic-mcp-servers/:id', kind: 'server', may: 'admin' },
]
