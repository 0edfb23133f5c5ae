import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSecret } from '../../src/domain/secret.ts'
import { type Bin, emptyFolder, openBin } from '../cli/bin.ts'
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts'
import { openUpstream, type Upstream } from './mcp-upstream.ts'

interface Node {
  url: string
  process: ChildProcess
}

interface Answer {
  status: number
  session: string | null
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  json: any
}

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}
const echo = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text: 'hi' } },
}
const path = '/servers/alpha/mcp'

// Three nodes on one PostgreSQL, and three processes on one SQLite file, are the same to whoever uses them.
describe.each(['postgres', 'sqlite'] as const)('three nodes on one store, %s', (engine) => {
  let bin: Bin
  let postgres: PostgresServer | undefined
  let upstream: Upstream
  let nodes: Node[] = []
  const adminKey = makeSecret('mcpm')
  const secret = randomBytes(32).toString('base64url')
  let shared = ''

  async function start(): Promise<Node> {
    const child = spawn(
      process.execPath,
      [
        bin.main,
        'serve',
        '--port',
        '0',
        '--allow-upstream',
        '127.0.0.1',
        '--failure-limit',
        '100000',
        '--log-level',
        'error',
      ],
      {
        env: {
          PATH: process.env['PATH'],
          TOKENWRIGHT_SECRET: secret,
          TOKENWRIGHT_ADMIN_KEY: adminKey,
          TOKENWRIGHT_DATA_DIR: engine === 'sqlite' ? shared : emptyFolder(),
          ...(postgres === undefined ? {} : { TOKENWRIGHT_DATABASE_URL: `${postgres.url}/postgres` }),
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    let stdout = ''
    for await (const chunk of child.stdout) {
      stdout += chunk
      if (stdout.includes('Ctrl-C')) break
    }
    const url = /MCP +(http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(stdout)?.[1]
    if (url === undefined) throw new Error(`no address in ${stdout}`)
    return { url, process: child }
  }

  async function ask(
    at: Node | undefined,
    where: string,
    key: string,
    body: unknown,
    session?: string,
  ): Promise<Answer> {
    const response = await fetch(`${at?.url}${where}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        ...(session === undefined ? {} : { 'mcp-session-id': session }),
      },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    return {
      status: response.status,
      session: response.headers.get('mcp-session-id'),
      json: text === '' ? undefined : JSON.parse(text),
    }
  }
  const manage = (at: Node | undefined, name: string, input: object) =>
    ask(at, `/v1/${name}`, adminKey, input)
  async function make(at: Node | undefined, access: object = { all_servers: true }) {
    const { json } = await manage(at, 'create_token', { name: 'node', access, delivery: 'inline' })
    return { id: json.token.id as string, secret: json.delivery.secret as string }
  }
  const opens = (key: string) =>
    Promise.all(nodes.map(async (node) => (await ask(node, path, key, echo)).status))

  beforeAll(async () => {
    bin = await openBin()
    shared = emptyFolder()
    if (engine === 'postgres') postgres = await startPostgres()
    upstream = await openUpstream('alpha')
    nodes = await Promise.all([start(), start(), start()])
    const { json } = await manage(nodes[0], 'create_config', { name: 'c' })
    const runs = { url: upstream.url }
    await manage(nodes[1], 'add_config_server', { config_id: json.config.id, name: 'alpha', runs })
  })
  afterAll(async () => {
    for (const { process: child } of nodes) child.kill('SIGKILL')
    await upstream.close()
    await postgres?.stop()
    bin.remove()
  })

  it('what one node does holds on every other at the next request: create, rotate, rules, disable, revoke', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [a, b, c] = [nodes[round % 3], nodes[(round + 1) % 3], nodes[(round + 2) % 3]]
      const made = await make(a)
      expect(await opens(made.secret)).toEqual([200, 200, 200])
      const rotated = await manage(b, 'rotate_token', { token_id: made.id })
      const fresh = rotated.json.delivery.secret
      expect([await opens(made.secret), await opens(fresh)]).toEqual([
        [401, 401, 401],
        [200, 200, 200],
      ])
      await manage(c, 'update_token', { token_id: made.id, access: { tool_rules: { deny: ['echo'] } } })
      expect(await opens(fresh)).toEqual([403, 403, 403])
      await manage(a, 'update_token', { token_id: made.id, access: { tool_rules: null } })
      await manage(b, 'set_token_enabled', { token_id: made.id, enabled: false })
      expect(await opens(fresh)).toEqual([401, 401, 401])
      await manage(c, 'set_token_enabled', { token_id: made.id, enabled: true })
      expect(await opens(fresh)).toEqual([200, 200, 200])
      await manage(a, 'revoke_token', { token_id: made.id })
      expect(await opens(fresh)).toEqual([401, 401, 401])
    }
  })

  it('a limit is one for all nodes: of 60 requests at once to three, exactly the 20 allowed pass', async () => {
    const made = await make(nodes[0], { all_servers: true, limits: { requests: 20, per_seconds: 86_400 } })
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, at) => ask(nodes[at % 3], path, made.secret, echo)),
    )
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(20)
    expect(statuses.filter((status) => status === 429)).toHaveLength(40)
  })

  it('a session that is open on one node ends within a second when another revokes its token', async () => {
    const made = await make(nodes[0])
    const opened = await ask(nodes[1], path, made.secret, initialize)
    const session = opened.session ?? ''
    const stream = await fetch(`${nodes[1]?.url}${path}`, {
      headers: {
        authorization: `Bearer ${made.secret}`,
        accept: 'text/event-stream',
        'mcp-session-id': session,
      },
    })
    expect(stream.status).toBe(200)
    const ended = stream.text()
    expect((await ask(nodes[1], path, made.secret, echo, session)).status).toBe(200)
    // Another node does not know the session, and says so in the way that makes a client start a new one.
    expect((await ask(nodes[2], path, made.secret, echo, session)).status).toBe(404)
    const started = performance.now()
    await manage(nodes[2], 'revoke_token', { token_id: made.id })
    await ended
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('a node killed under load loses nothing that was acknowledged, and the others go on', async () => {
    const kept: { id: string; secret: string }[] = []
    const ended: { id: string; secret: string }[] = []
    let stop = false
    const worker = async (at: number) => {
      for (let turn = 0; !stop; turn += 1) {
        const node = nodes[(at + turn) % 3]
        try {
          const made = await make(node)
          if (turn % 2 === 0) kept.push(made)
          else if ((await manage(node, 'revoke_token', { token_id: made.id })).status === 200)
            ended.push(made)
        } catch {
          // Of a call that got no answer nothing is claimed.
        }
      }
    }
    const load = [0, 1, 2, 3].map(worker)
    await sleep(1_000)
    const victim = nodes[2]
    victim?.process.kill('SIGKILL')
    await once(victim?.process as ChildProcess, 'close')
    await sleep(1_000)
    if (postgres !== undefined) {
      await postgres.crash(500)
      await sleep(1_500)
    }
    stop = true
    await Promise.all(load)
    nodes[2] = await start()
    expect(kept.length).toBeGreaterThan(5)
    expect(ended.length).toBeGreaterThan(5)
    for (const { secret: key } of kept) expect(await opens(key)).toEqual([200, 200, 200])
    for (const { secret: key } of ended) expect(await opens(key)).toEqual([401, 401, 401])
    const audit = await manage(nodes[0], 'verify_audit', {})
    expect(audit.json).toMatchObject({ ok: true })
  }, 90_000)
})
