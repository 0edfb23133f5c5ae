import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { backupTableNames } from '../../src/domain/backup-tables.ts'
import { dialectsOf } from '../../src/rest/dialects.ts'
import { isNative } from '../../src/rest/native.ts'
import { operations } from '../../tools/index.ts'
import { openServing, type Running } from '../http/serving.ts'
import { databases } from '../support/databases.ts'
import type { Instance } from '../support/instance.ts'
import { openBeside, sendAs } from './support.ts'

type Values = Record<string, unknown[]>
type Side = Awaited<ReturnType<typeof furnish>>

/** A project with everything that can be in one, all of it named after `mark`; `guest` is a member too, and has a key there. */
async function furnish({ call }: Running, mark: string, guest?: string) {
  const made = async (name: string, input: object) => {
    const { status, json } = await call(name, input)
    expect([name, status < 300]).toEqual([name, true])
    return json
  }
  const email = `${mark}@example.com`
  const project_id = (await made('create_project', { name: `${mark} project` })).project.id
  const config_id = (await made('create_config', { name: `${mark} config` })).config.id
  const runs = { command: `${mark}-command`, args: [mark], env: { KEY: mark } }
  const server = { config_id, name: `${mark} server`, runs }
  const server_id = (await made('add_config_server', server)).server.id
  await made('assign_config', { project_id, config_id })
  const user_id = (await made('create_user', { email })).user.id
  for (const one of [user_id, guest ?? user_id])
    await made('add_project_member', { project_id, user_id: one })
  await made('set_environment', { project_id, name: `${mark} stage`, variables: { V: mark } })
  const group_id = (await made('create_group', { name: 'a group', server_ids: [server_id] })).group.id
  const access = { servers: [server_id], groups: [group_id] }
  const token = await made('create_token', { name: `${mark} token`, project_id, owner_id: user_id, access })
  const key = await made('generate_user_key', { user_id: guest ?? user_id, project_id, name: `${mark} key` })
  const managed = await made('create_management_key', { name: `${mark} robot`, role: 'admin', project_id })
  return {
    mark,
    email,
    ids: [project_id, config_id, server_id, user_id, token.token.id, key.token.id, managed.key.id],
    config: [config_id, `${mark} config`],
    server: [server_id, `${mark} server`],
    project: [project_id, `${mark} project`],
    user: [user_id, email],
    token: [token.token.id, key.token.id, `${mark} token`],
    key: [key.token.id, key.token.prefix, key.delivery.secret],
    secrets: [token.delivery.secret, key.delivery.secret, managed.secret],
    managed: [managed.key.id],
    group: [group_id],
  }
}

/** What members, parameters and queries are given to reach the other side, by their names. */
function aims(to: Side, own: Side): Values {
  const ids = { config: to.config, server: to.server, project: to.project, user: to.user, group: to.group }
  const both = (mine: string[], theirs: string[]) => [...theirs, mine[0]]
  return {
    config_identifier: ids.config,
    config_id: both(own.config, ids.config),
    config_name: ids.config,
    source_config: ids.config,
    server_name: ids.server,
    server_id: ids.server,
    server_ids: [ids.server.slice(0, 1), 'all'],
    server: ids.server,
    project_identifier: ids.project,
    project_id: both(own.project, ids.project),
    project_name: ids.project,
    user_identifier: ids.user,
    user_id: both(own.user, ids.user),
    owner_id: ids.user,
    email: [to.email],
    api_key: to.key,
    token_id: to.token,
    token: to.secrets,
    key_id: to.managed,
    group_id: ids.group,
    group_ids: [ids.group],
    access: [{ all_servers: true }, { servers: ids.server.slice(0, 1) }, { groups: ids.group }],
    magic_mcp_server_id: ids.server,
    magic_mcp_server_ids: [ids.server.slice(0, 1)],
    magic_mcp_group_id: ids.group,
    magic_mcp_group_ids: [ids.group],
    after: to.token,
    text: [to.mark],
    search: [to.mark],
    search_term: [to.mark],
    target_id: to.ids,
    actor_id: to.managed,
    input_file: ['theirs.json', 'backup.json'],
    output_file: ['made.json'],
    include_secrets: [true],
    include_revoked: [true],
    include_deleted: [true],
    status: ['all', 'deleted'],
    force: [true],
  }
}

/** What else a call needs to come so far. */
const needed: Record<string, unknown> = {
  name: 'a name',
  config_name: 'a name',
  target_config: 'a name',
  new_name: 'a name',
  server_command: 'command',
  runs: { command: 'command' },
  new_email: 'new@example.com',
  new_password: 'long enough to be one',
  email: 'new@example.com',
  role: 'admin',
  enabled: true,
  confirm: true,
  include_secrets: true,
}

interface Call {
  line: string
  body?: object
}

/** Every call of a shape that names the other side at least once. */
function bodiesOf(shape: Record<string, z.core.$ZodType>, aimed: Values): object[] {
  const optional = (schema: z.core.$ZodType) => (schema as z.ZodType).safeParse(undefined).success
  const names = Object.keys(shape)
  const most = Object.fromEntries(
    names.flatMap((name) => {
      const given = aimed[name]?.[0] ?? needed[name]
      const wanted = !optional(shape[name] as z.core.$ZodType) || name === 'include_secrets'
      return wanted && given !== undefined ? [[name, given]] : []
    }),
  )
  const others = names.flatMap((name) => (aimed[name] ?? []).map((value) => ({ ...most, [name]: value })))
  const fresh = Object.fromEntries(Object.keys(most).map((name) => [name, needed[name] ?? most[name]]))
  return [most, fresh, ...others]
}

function callsTo(aimed: Values): Call[] {
  const own = operations
    .filter(isNative)
    .flatMap(({ name, input }) =>
      bodiesOf(input.shape, aimed).map((body): Call => ({ line: `POST /v1/${name}`, body })),
    )
  const dialects = dialectsOf(() => '').flatMap(({ routes }) => routes)
  const theirs = dialects.flatMap(({ method, path, body, query }) => {
    const queries = Object.keys(query?.shape ?? {}).flatMap((name) =>
      (aimed[name] ?? []).map((value) => `?${name}=${encodeURIComponent(String(value))}`),
    )
    return pathsOf(path, aimed)
      .flatMap((one) => ['', ...queries].map((end) => `${method} ${one}${end}`))
      .flatMap((line): Call[] =>
        method === 'GET' || body === undefined
          ? [{ line }]
          : bodiesOf(body.shape, aimed).map((sent) => ({ line, body: sent })),
      )
  })
  return [...own, ...theirs]
}

function pathsOf(path: string, aimed: Values): string[] {
  const [, name] = /:(\w+)/.exec(path) ?? []
  if (name === undefined) return [path]
  return (aimed[name] ?? ['none']).flatMap((value) =>
    pathsOf(path.replace(`:${name}`, encodeURIComponent(String(value))), aimed),
  )
}

/** Every row that belongs to a side or names one of its things, but for the traces of use. */
async function rowsOf({ core }: Instance, { ids }: Side): Promise<string[]> {
  const found: string[] = []
  for (const table of backupTableNames) {
    const { rows } = await sql<object>`select * from ${sql.table(table)}`.execute(core.store.read)
    for (const row of rows) {
      const text = JSON.stringify({
        table,
        ...row,
        use_count: 0,
        last_used_at: 0,
        secret_used_at: 0,
        last_used_ip: 0,
      })
      if (ids.some((id) => text.includes(id))) found.push(text)
    }
  }
  return found.sort()
}

describe.each(databases)('a credential of one project on every route on $name', (database) => {
  let running: Running
  let beside: Instance
  let own: Side
  let other: Side
  let calls: Call[]
  beforeAll(async () => {
    running = await openServing(database)
    beside = await openBeside(database, running)
    own = await furnish(running, 'mine')
    other = await furnish(running, 'theirs', own.user[0])
    await running.call('export_config', { config_id: other.config[0], output_file: 'theirs.json' })
    await running.call('create_backup', { output_file: 'backup.json' })
    calls = callsTo(aims(other, own))
  })
  afterAll(async () => {
    await beside.close()
    await running.close()
  })

  /** The calls whose answers say something of the other side that the call did not. */
  async function telling(secret: string, of: readonly Call[]): Promise<string[]> {
    const told: string[] = []
    for (const { line, body } of of) {
      const { status, text } = await sendAs(running, secret)(line, body)
      const sent = `${decodeURIComponent(line)} ${JSON.stringify(body)}`
      const marks = [other.mark, ...other.ids, ...other.secrets].filter((mark) => text.includes(mark))
      if (status >= 500 || marks.some((mark) => status < 300 || !sent.includes(mark)))
        told.push(`${line} ${JSON.stringify(body)} ${status} ${text.slice(0, 300)}`)
    }
    return told
  }

  it('one of the instance is told of the other project by most of the routes that read', async () => {
    const reads = calls.filter(({ line }) => /^GET|\/v1\/(get|list)_|\/search$/.test(line))
    const told = await telling(running.adminKey, reads)
    expect(new Set(told.map((line) => line.split(' ').slice(0, 2).join(' '))).size).toBeGreaterThan(50)
  })

  // The weakest first: an admin may empty the own project.
  it.each([
    ['an access token', 'create_token'],
    ['a user key of a member of both', 'generate_user_key'],
    ['a validator key', { role: 'validator' }],
    ['a reader key', { role: 'reader' }],
    ['an operator key', { role: 'operator' }],
    ['an admin key', { role: 'admin' }],
  ] as const)('R12, R15: %s learns and changes nothing of the other project', async (_, made) => {
    const [project_id] = own.project
    const { json } =
      typeof made === 'string'
        ? await running.call(made, {
            project_id,
            ...(made === 'create_token'
              ? { name: 'own', owner_id: own.user[0], access: { all_servers: true } }
              : { user_id: own.user[0] }),
          })
        : await running.call('create_management_key', { name: 'bound', project_id, ...made })
    const before = await rowsOf(beside, other)
    expect(await telling(json.secret ?? json.delivery.secret, calls)).toEqual([])
    expect(await rowsOf(beside, other)).toEqual(before)
  })
})
