import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Target } from './lib/load.ts'
import { openSession } from './lib/mcp.ts'
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
  stdioCommand,
  validateTarget,
  introspectTarget: () => undefined,
  mcpTarget,
}

/** Serves with every default but the port, and makes a key that may validate and nothing else. */
async function startServer(dataDir: string, databaseUrl?: string): Promise<RunningServer> {
  mkdirSync(dataDir, { recursive: true })
  const store = databaseUrl === undefined ? {} : { TOKENWRIGHT_DATABASE_URL: databaseUrl }
  const log = join(dataDir, 'serve.log')
  const child = spawn(process.execPath, [main, 'serve', '--data', dataDir, '--port', '0'], {
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

async function mcpTarget(server: RunningServer, secrets: string[]): Promise<Target> {
  const headers = await openSession(`${server.url}/mcp`, server.key)
  const call = (token: string) => ({ name: 'validate_token', arguments: { token } })
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
