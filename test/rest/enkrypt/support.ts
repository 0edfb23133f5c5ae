import { expect } from 'vitest'
import type { ServeOptions } from '../../../src/serve.ts'
import { type Answer, openServing, type Running } from '../../http/serving.ts'
import type { Database } from '../../support/databases.ts'
import type { Instance } from '../../support/instance.ts'
import { openBeside, type Send, type Step, sendAs } from '../support.ts'

export const roles = ['admin', 'operator', 'reader', 'validator'] as const

// biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
export type Data = Record<string, any>

/** A server with a key of each role; what is sent is below `/api/v1`. */
export interface World {
  running: Running
  /** The same store, opened a second time. */
  beside: Instance
  keys: Record<(typeof roles)[number], string>
  /** Sends `METHOD /path` as admin, operator or reader. */
  admin: Send
  operator: Send
  reader: Send
  as(key: string | null): Send
  /** A name nobody has yet. */
  fresh(what: string): string
  /** Calls an operation as admin; a refusal fails the test. */
  op(name: string, input: object): Promise<Data>
  /** Makes a thing as admin and answers `data`. */
  config(name?: string): Promise<Data & { config_id: string }>
  server(config: string, body?: object): Promise<Data & { server_id: string }>
  user(body?: object): Promise<Data & { user_id: string; email: string }>
  /** A project with a configuration, a member of it, and a key of that member. */
  project(): Promise<Project>
  close(): Promise<void>
}

export interface Project {
  project_id: string
  project_name: string
  config_id: string
  config_name: string
  user_id: string
  email: string
  /** As an answer of `generate` tells it: `api_key` is the full secret. */
  key: Data & { api_key: string; api_key_id: string; prefix: string }
}

export async function openWorld(database: Database, options: Partial<ServeOptions> = {}): Promise<World> {
  const running = await openServing(database, options)
  const beside = await openBeside(database, running)
  const op: World['op'] = async (name, input) => {
    const { status, json, text } = await running.call(name, input)
    if (status >= 400) throw new Error(`${name}: ${text}`)
    return json
  }
  const key = async (role: string): Promise<string> =>
    (await op('create_management_key', { name: role, role }))['secret']
  const keys = {
    admin: running.adminKey,
    operator: await key('operator'),
    reader: await key('reader'),
    validator: await key('validator'),
  }
  const as = (secret: string | null) => below(running, secret)
  const admin = as(keys.admin)
  let count = 0
  const fresh = (what: string) => {
    count += 1
    return `${what} ${count}`
  }
  const user: World['user'] = async (body = {}) => {
    const email = `${fresh('user').replace(' ', '-')}@example.com`
    return made(admin('POST /users', { email, ...body })) as ReturnType<World['user']>
  }
  const config: World['config'] = (name = fresh('Configuration')) =>
    made(admin('POST /configs', { config_name: name })) as ReturnType<World['config']>
  return {
    running,
    beside,
    keys,
    admin,
    operator: as(keys.operator),
    reader: as(keys.reader),
    as,
    fresh,
    op,
    config,
    user,
    server: (id, body = {}) =>
      made(
        admin(`POST /configs/${id}/servers`, {
          server_name: fresh('server'),
          server_command: 'npx',
          ...body,
        }),
      ) as ReturnType<World['server']>,
    async project() {
      const { config_id, config_name } = await config()
      const { user_id, email } = await user()
      const { project } = await op('create_project', { name: fresh('Project') })
      const project_id: string = project.id
      await op('assign_config', { project_id, config_id })
      await op('add_project_member', { project_id, user_id })
      const key = (await made(admin(`POST /users/${user_id}/api-keys`, { project_id }))) as Project['key']
      return { project_id, project_name: project.name, config_id, config_name, user_id, email, key }
    },
    async close() {
      await beside.close()
      await running.close()
    },
  }
}

/** Requests below `/api/v1` with this credential; null = without one. */
function below(running: Running, key: string | null): Send {
  const send = sendAs(running, key)
  return (line, ...rest) => send(lineOf(line), ...rest)
}

/** `METHOD /path` with the base of the dialect, for steps of a scenario and for requests made by hand. */
export function lineOf(line: string): string {
  return line.replace(' /', ' /api/v1/')
}

/** A step whose path is below `/api/v1`. */
export function step({ send: [line, ...rest], ...others }: Step): Step {
  return { ...others, send: [lineOf(line), ...rest] }
}

/** The data of a success; a refusal fails the test, and so does anything beside message and data. */
export async function made(sent: Promise<Answer>): Promise<Data> {
  return told(await sent).data
}

/** The body of a success: `message` and `data` and no others (enkrypt:wire:success:envelope). */
export function told({ status, json, text }: Answer): { message: string; data: Data } {
  if (status !== 200 && status !== 201) throw new Error(`${status} ${text}`)
  expect(Object.keys(json)).toEqual(['message', 'data'])
  expect(json.message).toEqual(expect.any(String))
  return json
}

export const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Status and detail of a refusal, which has exactly the three members of the contract (enkrypt:wire:error:envelope). */
export function refused({ status, json, text }: Answer): [status: number, detail: string] {
  if (status < 400) throw new Error(`expected a refusal, got ${status} ${text}`)
  expect(Object.keys(json)).toEqual(['error', 'detail', 'timestamp'])
  expect(json.error).toBe(titles[status])
  expect(json.detail).toEqual(expect.any(String))
  expect(json.timestamp).toMatch(isoTime)
  return [status, json.detail]
}

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Payload Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
}

/** The refusals whose detail is the same whatever the request. */
export const unauthorized: [number, string] = [401, 'Invalid or missing API key']
export const forbidden: [number, string] = [403, 'This key may not do that']

/** Ids of nothing. */
export const unknownId = {
  config: 'cfg_0000000000000000000000',
  project: 'proj_0000000000000000000000',
  user: 'usr_0000000000000000000000',
  server: 'mgsr_0000000000000000000000',
  key: 'mgtk_0000000000000000000000',
}
