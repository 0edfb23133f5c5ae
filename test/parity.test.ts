import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from './cli/bin.ts'
import { type Answer, openServing, type Running } from './http/serving.ts'
import { databases } from './support/databases.ts'

interface Made {
  id: string
  secret: string
}

interface Seen {
  id: string
  prefix: string
  alive: boolean
}

/** What a face can do with a token; a call that is refused answers null. */
interface Face {
  create?(): Promise<Made>
  /** A token that names a group there is not: refused, and nothing made. */
  createBad?(): Promise<Made | null>
  read(id: string): Promise<Seen | null>
  rotate?(id: string): Promise<Made | null>
  revoke?(id: string): Promise<boolean>
}

const none = 'mggr_0000000000000000000001'
const person = { email: 'dev@example.com', password: 'correct horse battery' }

describe.each(databases)('one store behind every face, on $name', (database) => {
  let running: Running
  let bin: Bin
  let client: Client
  let faces: Record<string, Face>
  let projectId: string

  beforeAll(async () => {
    running = await openServing(database)
    bin = await openBin()
    client = new Client({ name: 'parity', version: '1' })
    const requestInit = { headers: { authorization: `Bearer ${running.adminKey}` } }
    const transport = new StreamableHTTPClientTransport(new URL(`${running.url}/mcp`), { requestInit })
    await client.connect(transport as never)
    projectId = await prepare(running)
    faces = {
      mcp: mcpFace(client),
      v1: nativeFace(running),
      cli: cliFace(bin, running),
      metorial: metorialFace(running),
      mctx: mctxFace(running),
      enkrypt: enkryptFace(running),
      gassapi: gassapiFace(running, projectId),
    }
  })
  afterAll(async () => {
    await client.close()
    await running.close()
    bin.remove()
  })

  /** The id the secret answers to, null if it is refused. */
  const opens = async (secret: string): Promise<string | null> => {
    const answer = await running.send('/mcp/validate', { headers: { authorization: `Bearer ${secret}` } })
    return answer.status === 200 ? answer.json.data.user.mcp_token_id : null
  }
  const seenBy = async (id: string) =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(faces).map(async ([name, face]) => [name, await face.read(id)] as const),
      ),
    )
  const count = async () =>
    (await running.call('list_magic_tokens', { limit: 1, include_total: true })).json.total

  it.each(['mcp', 'v1', 'cli', 'metorial', 'mctx', 'enkrypt', 'gassapi'])(
    'a token made through %s has one id everywhere, is rotated by every face and ended for all of them by one',
    async (maker) => {
      const made = await faces[maker]?.create?.()
      if (made === undefined) throw new Error(`${maker} makes no tokens`)
      const { id } = made
      // User keys are all that the Enkrypt dialect shows; it makes nothing else.
      const isUserKey = maker === 'enkrypt'
      const shows = (name: string) => name !== 'enkrypt' || isUserKey
      let { secret } = made
      const agree = async (alive: boolean) => {
        for (const [name, seen] of Object.entries(await seenBy(id))) {
          // A secret that is gone leaves the list of user keys; GASSAPI shows a token to itself alone.
          if (name === 'gassapi') continue
          const wanted = shows(name) && (alive || name !== 'enkrypt')
          expect([name, seen]).toEqual([name, wanted ? { id, prefix: secret.slice(0, 12), alive } : null])
        }
        expect(await opens(secret)).toBe(alive ? id : null)
      }
      await agree(true)
      for (const [name, face] of Object.entries(faces)) {
        if (face.rotate === undefined || !shows(name)) continue
        const rotated = await face.rotate(id)
        expect([name, rotated?.id]).toEqual([name, id])
        expect(await opens(secret)).toBeNull()
        secret = rotated?.secret ?? ''
        await agree(true)
      }
      const enders = Object.keys(faces).filter((name) => faces[name]?.revoke && shows(name))
      const ender = enders[maker.length % enders.length] ?? ''
      expect(await faces[ender]?.revoke?.(id)).toBe(true)
      await agree(false)
      for (const [name, face] of Object.entries(faces)) {
        if (face.rotate !== undefined) expect([name, await face.rotate(id)]).toEqual([name, null])
      }
      await agree(false)
    },
  )

  it('what one face refuses every face refuses, and nothing is made', async () => {
    const before = await count()
    for (const [name, face] of Object.entries(faces)) {
      if (face.createBad !== undefined) expect([name, await face.createBad()]).toEqual([name, null])
    }
    expect(await count()).toBe(before)
  })
})

/** A person in a project with a configuration. */
async function prepare(running: Running): Promise<string> {
  const user = await running.call('create_user', person)
  const project = await running.call('create_project', { name: 'Home' })
  const project_id = project.json.project.id
  await running.call('add_project_member', { project_id, user_id: user.json.user.id })
  return project_id
}

type View = { id: string; prefix: string; status: string }

const seen = ({ id, prefix, status }: View): Seen => ({ id, prefix, alive: status === 'active' })

function mcpFace(client: Client): Face {
  const call = async (name: string, args: object) => {
    const result = await client.callTool({ name, arguments: { ...args } })
    // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
    return result.isError === true ? null : (result.structuredContent as any)
  }
  const made = (done: { token: View; delivery: { secret: string } } | null) =>
    done === null ? null : { id: done.token.id, secret: done.delivery.secret }
  const create = async (access: object) =>
    made(await call('create_token', { name: 'mcp', access, delivery: 'inline' }))
  return {
    create: async () => (await create({ all_servers: true })) ?? { id: '', secret: '' },
    createBad: () => create({ groups: [none] }),
    async read(token_id) {
      const done = await call('get_token', { token_id })
      return done === null ? null : seen(done.token)
    },
    rotate: async (token_id) => made(await call('rotate_token', { token_id, delivery: 'inline' })),
    async revoke(token_id) {
      const shown = await call('revoke_token', { token_id, dry_run: true })
      return (
        shown !== null && (await call('revoke_token', { token_id, confirm: shown.preview.confirm })) !== null
      )
    },
  }
}

function nativeFace(running: Running): Face {
  const made = ({ status, json }: Answer) =>
    status >= 400 ? null : { id: json.token.id, secret: json.delivery.secret }
  const create = async (access: object) => made(await running.call('create_token', { name: 'v1', access }))
  return {
    create: async () => (await create({ all_servers: true })) ?? { id: '', secret: '' },
    createBad: () => create({ groups: [none] }),
    async read(token_id) {
      const { status, json } = await running.call('get_token', { token_id })
      return status === 200 ? seen(json.token) : null
    },
    rotate: async (token_id) => made(await running.call('rotate_token', { token_id })),
    revoke: async (token_id) => (await running.call('revoke_token', { token_id })).status === 200,
  }
}

function cliFace(bin: Bin, { place }: Running): Face {
  const env = {
    TOKENWRIGHT_DATA_DIR: place.dataDir,
    ...(place.location.startsWith('postgres') ? { TOKENWRIGHT_DATABASE_URL: place.location } : {}),
  }
  const run = async (...args: string[]) => {
    const { code, stdout } = await bin.run([...args, '--json'], { env })
    return code === 0 ? JSON.parse(stdout) : null
  }
  const made = (done: { token: View; delivery: { secret: string } } | null) =>
    done === null ? null : { id: done.token.id, secret: done.delivery.secret }
  const create = async (access: object) =>
    made(await run('create-token', '--name', 'cli', '--access', JSON.stringify(access)))
  return {
    create: async () => (await create({ all_servers: true })) ?? { id: '', secret: '' },
    createBad: () => create({ groups: [none] }),
    async read(id) {
      const done = await run('get-token', '--token-id', id)
      return done === null ? null : seen(done.token)
    },
    rotate: async (id) => made(await run('rotate-token', '--token-id', id)),
    revoke: async (id) => (await run('revoke-token', '--token-id', id, '--yes')) !== null,
  }
}

function sending(running: Running) {
  const headers = { authorization: `Bearer ${running.adminKey}`, 'content-type': 'application/json' }
  return (method: string, path: string, body?: object) =>
    running.send(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
}

function metorialFace(running: Running): Face {
  const send = sending(running)
  const path = (id: string) => `/magic-mcp-tokens/${id}`
  const made = ({ status, json }: Answer) => (status === 200 ? { id: json.id, secret: json.secret } : null)
  return {
    create: async () =>
      made(await send('POST', '/magic-mcp-tokens', { name: 'metorial' })) ?? { id: '', secret: '' },
    createBad: async () => made(await send('POST', '/magic-mcp-tokens', { name: 'x', group_ids: [none] })),
    async read(token) {
      const { status, json } = await send('GET', path(token))
      if (status !== 200) return null
      return { id: json.id, prefix: json.secret_redacted.slice(0, 12), alive: json.status === 'active' }
    },
    rotate: async (id) => made(await send('POST', `${path(id)}/rotate`)),
    revoke: async (id) => (await send('DELETE', path(id))).status === 200,
  }
}

function mctxFace(running: Running): Face {
  const send = sending(running)
  const made = ({ status, json }: Answer) => (status < 300 ? { id: json.id, secret: json.token } : null)
  return {
    create: async () =>
      made(await send('POST', '/api/tokens', { name: 'mctx', server_ids: 'all' })) ?? { id: '', secret: '' },
    createBad: async () => made(await send('POST', '/api/tokens', { name: 'x', server_ids: [none] })),
    async read(id) {
      const { status, json } = await send('GET', `/api/tokens/${id}`)
      return status === 200 ? seen(json) : null
    },
    rotate: async (id) => made(await send('POST', `/api/tokens/${id}/rotate`)),
    revoke: async (id) => (await send('DELETE', `/api/tokens/${id}`)).status === 200,
  }
}

function enkryptFace(running: Running): Face {
  const send = sending(running)
  const keys = `/api/v1/users/${person.email}/api-keys`
  const made = ({ status, json }: Answer) =>
    status < 300 ? { id: json.data.api_key_id, secret: json.data.api_key } : null
  return {
    create: async () => made(await send('POST', keys, { project_name: 'Home' })) ?? { id: '', secret: '' },
    createBad: async () => made(await send('POST', keys, { project_name: 'Nowhere' })),
    async read(id) {
      const { status, json } = await send('GET', `/api/v1/api-keys/${id}`)
      if (status !== 200) return null
      return { id: json.data.api_key_id, prefix: json.data.prefix, alive: !json.data.disabled }
    },
    rotate: async (id) => made(await send('POST', '/api/v1/api-keys/rotate', { api_key: id })),
    revoke: async (id) => (await send('DELETE', `/api/v1/api-keys/${id}`)).status === 200,
  }
}

function gassapiFace(running: Running, project_id: string): Face {
  const generate = async (body: object) => {
    const answer = await sending(running)('POST', '/public/generate-mcp-token', body)
    if (answer.status !== 201) return null
    const { token: secret } = answer.json.mcpClient
    const own = await running.send('/mcp/validate', { headers: { authorization: `Bearer ${secret}` } })
    return { id: own.json.data.user.mcp_token_id, secret }
  }
  return {
    create: async () => (await generate({ ...person, project_id })) ?? { id: '', secret: '' },
    createBad: () => generate({ ...person, project_id: none }),
    // It shows a token to itself alone.
    read: async () => null,
  }
}
