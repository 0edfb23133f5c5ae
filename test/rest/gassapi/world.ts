import type { ServeOptions } from '../../../src/serve.ts'
import { type Answer, openServing, type Running } from '../../http/serving.ts'
import type { Database } from '../../support/databases.ts'
import { type Instance, openInstance } from '../../support/instance.ts'
import { contents, stateTables } from '../../support/world.ts'
import { sendAs } from '../support.ts'

/** The seed's own. */
export const password = 'YourPassword123'
export const description = 'Project for testing MCP token generation'

export const route = '/public/generate-mcp-token'
export const paths = [route, `${route}.php`]

/** A token of this dialect, with its secret. */
export interface Made {
  id: string
  secret: string
}

interface Asked {
  path?: string
  method?: string
  headers?: Record<string, string>
  /** The address the request comes from, through a proxy that is trusted. */
  from?: string
}

export interface World extends Running {
  /** A second process on the same store, to look behind the server and for what no operation makes. */
  beside: Instance
  project_id: string
  user_id: string
  email: string
  /** POSTs the seed's body, with other members where they are named; a text or bytes go as they stand. */
  generate(body?: object | string | Uint8Array<ArrayBuffer>, asked?: Asked): Promise<Answer>
  /** A token of the member for the project. */
  make(body?: object): Promise<Made>
  /** Asks `/mcp/validate` with that secret; null = without a credential. */
  validate(secret: string | null, init?: RequestInit & { from?: string }): Promise<Answer>
  /** Calls a tool of the MCP face, without a session. */
  tool(name: string, input: object, secret?: string): Promise<Answer>
  /** Calls an operation as admin; a refusal fails the test. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  op(name: string, input: object): Promise<any>
  /** Another person, in the project unless said. */
  person(email: string, columns?: { password?: string | null; member?: boolean }): Promise<string>
  /** Everything stored but the trail, to see whether a request changed anything. */
  state(): Promise<string>
}

/** A real server behind a proxy that is trusted, with the seed's project and a member of it. */
export async function openWorld(database: Database, options: Partial<ServeOptions> = {}): Promise<World> {
  const running = await openServing(database, { trustedProxies: ['127.0.0.1'], ...options })
  const beside = await openInstance(database, running.place)
  const op: World['op'] = async (name, input) => {
    const { status, json, text } = await running.call(name, input)
    if (status >= 400) throw new Error(`${name}: ${text}`)
    return json
  }
  const email = 'user@example.com'
  const project_id = (await op('create_project', { name: 'Test Project', description })).project.id
  const person: World['person'] = async (email, { password: own = password, member = true } = {}) => {
    const { user } = await op('create_user', { email, ...(own === null ? {} : { password: own }) })
    if (member) await op('add_project_member', { project_id, user_id: user.id })
    return user.id
  }
  const user_id = await person(email)
  const seed = { email, password, project_id }
  const generate: World['generate'] = (body = {}, { path = route, method = 'POST', headers, from } = {}) =>
    running.send(path, {
      method,
      headers: { 'content-type': 'application/json', ...via(from), ...headers },
      ...(method === 'POST' ? { body: bytesOf(body, seed) } : {}),
    })
  const validate: World['validate'] = (secret, { from, ...init } = {}) =>
    running.send('/mcp/validate', {
      ...init,
      headers: {
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
        ...via(from),
        ...init.headers,
      },
    })
  return {
    ...running,
    beside,
    project_id,
    user_id,
    email,
    generate,
    validate,
    tool: (name, input, secret = running.adminKey) =>
      sendAs(running, secret)(
        'POST /mcp',
        { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } },
        { accept: 'application/json, text/event-stream' },
      ),
    op,
    person,
    async make(body = {}) {
      const { status, text, json } = await generate(body)
      if (status !== 201) throw new Error(text)
      const { token: secret } = json.mcpClient
      return { secret, id: (await validate(secret)).json.data.user.mcp_token_id }
    },
    state: () => contents(beside, stateTables),
    async close() {
      await beside.close()
      await running.close()
    },
  }
}

function via(from: string | undefined): Record<string, string> {
  return from === undefined ? {} : { 'x-forwarded-for': from }
}

function bytesOf(body: object | string | Uint8Array<ArrayBuffer>, seed: object): Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return body
  return new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify({ ...seed, ...body }))
}

/** What is no valid token and came as one: see `refused`. */
export const invalidToken = [
  401,
  '{"success":false,"message":"Invalid token","error":"Unauthorized"}',
  'Bearer error="invalid_token"',
  null,
  null,
]

/** The bodies of the contract, to the byte. */
export const told = {
  host: '{"success":false,"message":"Host not allowed","error":"Forbidden"}',
  method: '{"success":false,"message":"Method not allowed. Use POST."}',
  size: '{"success":false,"message":"Request body too large"}',
  json: '{"success":false,"message":"Invalid JSON input"}',
  missing: '{"success":false,"message":"Missing required fields: email, password, project_id"}',
  limited: '{"success":false,"message":"Too many requests","error":"Try again later"}',
  login: '{"success":false,"message":"Login failed","error":"Invalid credentials"}',
  project:
    '{"success":false,"message":"Project not found or access denied","error":"Access denied: Project access denied"}',
  policy:
    '{"success":false,"message":"Failed to generate MCP token","error":"Tokens without an expiry are not allowed here: max_lifetime_days is set."}',
  fault: '{"success":false,"message":"Failed to generate MCP token","error":"Internal error"}',
  token: '{"success":false,"message":"Invalid token","error":"Unauthorized"}',
  address: '{"success":false,"message":"IP not allowed","error":"Forbidden"}',
  foreign: '{"success":false,"message":"Host or Origin not allowed","error":"Forbidden"}',
  onlyGet: '{"success":false,"message":"Method not allowed. Use GET."}',
}

/** What a refusal of the public route is made of, for tables: status, body, and the headers that differ. */
export function refused({ status, text, headers }: Answer) {
  return [status, text, headers.get('www-authenticate'), headers.get('allow'), headers.get('retry-after')]
}

/** The headers of an answer but for the time. */
export function headersOf({ headers }: Answer): Record<string, string> {
  const { date: _, ...rest } = Object.fromEntries(headers)
  return rest
}
