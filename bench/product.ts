import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Target } from './lib/load.ts'
import { callsOf, type Era } from './lib/mcp.ts'
import type { Command, RunningServer, Subject } from './lib/subject.ts'

// Not relative to this file, which is bundled elsewhere: npm runs the benchmark in its own folder.
const main = join(process.cwd(), '../dist/main.js')

/** The seam: everything that the benchmark knows of Tokenwright is here and in `product-open.ts`. */
export const product: Subject = {
  name: 'tokenwright',
  seedTokens: async (dataDir, count) => (await import('./product-open.ts')).seedTokens(dataDir, count),
  openProduct: async (dataDir, databaseUrl) =>
    (await import('./product-open.ts')).openProduct(dataDir, databaseUrl),
  startServer,
  startGateway,
  stdioCommand,
  validateTarget,
  introspectTarget,
  forwardTarget,
  mcpTarget,
}

/** Serves with every default but the port, and makes a key that may validate and nothing else. */
async function startServer(
  dataDir: string,
  databaseUrl?: string,
  flags: readonly string[] = [],
): Promise<RunningServer> {
  mkdirSync(dataDir, { recursive: true })
  const store = databaseUrl === undefined ? {} : { TOKENWRIGHT_DATABASE_URL: databaseUrl }
  const log = join(dataDir, 'serve.log')
  const child = spawn(process.execPath, [main, 'serve', '--data', dataDir, '--port', '0', ...flags], {
    env: { ...process.env, NODE_ENV: 'production', ...store },
    // To a file: a pipe would have this process read a line per request on the same two cores.
    stdio: ['ignore', 'pipe', openSync(log, 'a')],
  })
  process.once('exit', () => child.kill())
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await once(child, 'exit')
    clearTimeout(timer)
  }
  const giveUp = setTimeout(() => child.kill('SIGKILL'), 30_000)
  let told = ''
  const url = await new Promise<string>((resolve, reject) => {
    if (child.stdout === null) throw new Error('serve has no output to read its address from')
    createInterface({ input: child.stdout }).on('line', (line) => {
      told = `${told}\n${line}`.slice(-2_000)
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0]
      if (found !== undefined) resolve(found)
    })
    child.on('close', (code) =>
      reject(new Error(`serve ended with ${code}:${told}${readFileSync(log, 'utf8').slice(-2_000)}`)),
    )
  })
  clearTimeout(giveUp)
  const admin = readFileSync(join(dataDir, 'admin.key'), 'latin1').trim()
  const response = await fetch(`${url}/v1/create_management_key`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
    body: JSON.stringify({ name: 'bench', role: 'validator' }),
  })
  const { secret: key, detail } = (await response.json()) as { secret?: string; detail?: string }
  if (key === undefined) throw new Error(`no validator key: ${response.status} ${detail}`)
  return { url, port: Number(new URL(url).port), pid: child.pid ?? 0, key, stop }
}

async function startGateway(
  dataDir: string,
  url: string,
): Promise<RunningServer & { path: string; tokens: string[] }> {
  const server = await startServer(dataDir, undefined, ['--allow-upstream', '127.0.0.1'])
  const admin = readFileSync(join(dataDir, 'admin.key'), 'latin1').trim()
  const call = async (name: string, input: object) => {
    const response = await fetch(`${server.url}/v1/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
      body: JSON.stringify(input),
    })
    if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`)
    return response.json() as Promise<{ server: { id: string; slug: string }; delivery: { secret: string } }>
  }
  const { server: made } = await call('create_server', { name: 'everything' })
  await call('set_server_upstream', { server_id: made.id, runs: { url } })
  const tokens: string[] = []
  for (let at = 0; at < 20; at += 1) {
    const { delivery } = await call('create_token', {
      name: 'bench',
      access: { all_servers: true },
      delivery: 'inline',
    })
    tokens.push(delivery.secret)
  }
  return { ...server, tokens, path: `/servers/${made.slug}/mcp` }
}

function stdioCommand(dataDir: string): Command {
  return {
    command: process.execPath,
    args: [main, 'stdio', '--data', dataDir],
    env: { NODE_ENV: 'production' },
  }
}

function validateTarget({ port, pid, key }: RunningServer, secrets: string[]): Target {
  const body = (token: string) => JSON.stringify({ token })
  return {
    port,
    pid,
    path: '/v1/validate_token',
    headers: { authorization: `Bearer ${key}` },
    bodies: secrets.map(body),
    expect: '"valid":true',
    refuse: { body: body('mcpt_unknown'), expect: '"valid":false' },
  }
}

function introspectTarget({ port, pid, key }: RunningServer, secrets: string[]): Target {
  const body = (token: string) => `token=${token}`
  return {
    port,
    pid,
    path: '/oauth2/introspect',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    bodies: secrets.map(body),
    expect: '"active":true',
    refuse: { body: body('mcpt_unknown'), expect: '"active":false' },
  }
}

/** The credential of a target is a header, so one secret asks again and again, as one client of a proxy does. */
function forwardTarget({ port, pid }: RunningServer, secrets: string[]): Target {
  return {
    port,
    pid,
    path: '/auth/verify',
    headers: { authorization: `Bearer ${secrets[0]}` },
    bodies: ['{}'],
    expect: '',
  }
}

async function mcpTarget(server: RunningServer, secrets: string[], era: Era): Promise<Target> {
  const { headers, params } = await callsOf(era, `${server.url}/mcp`, server.key, 'validate_token')
  const call = (token: string) => ({ name: 'validate_token', arguments: { token }, ...params })
  const message = (id: number, secret: string) =>
    JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: call(secret) })
  return {
    port: server.port,
    pid: server.pid,
    path: '/mcp',
    headers,
    bodies: secrets.map((secret, i) => message(i + 1, secret)),
    expect: '"valid":true',
    refuse: { body: message(0, 'mcpt_unknown'), expect: '"valid":false' },
  }
}
