import type { Target } from './lib/load.ts'
import { openSession } from './lib/mcp.ts'
import type { Command, OpenProduct, RunningServer, Subject } from './lib/subject.ts'

/** The seam: everything that the benchmark knows of Tokenwright is in this file. */
export const product: Subject = {
  name: 'tokenwright',
  seedTokens,
  openProduct,
  startServer,
  stdioCommand,
  validateTarget,
  introspectTarget,
  mcpTarget,
}

async function seedTokens(_dataDir: string, _count: number): Promise<string[]> {
  throw new Error('not wired yet: seedTokens')
}

async function openProduct(_dataDir: string, _databaseUrl?: string): Promise<OpenProduct> {
  throw new Error('not wired yet: openProduct')
}

async function startServer(_dataDir: string, _databaseUrl?: string): Promise<RunningServer> {
  throw new Error('not wired yet: startServer')
}

function stdioCommand(_dataDir: string): Command {
  throw new Error('not wired yet: stdioCommand')
}

function validateTarget(_server: RunningServer, _secrets: string[]): Target {
  throw new Error('not wired yet: validateTarget')
}

function introspectTarget(_server: RunningServer, _secrets: string[]): Target | undefined {
  return undefined
}

async function mcpTarget(server: RunningServer, secrets: string[]): Promise<Target> {
  const headers = await openSession(`${server.url}/mcp`, server.key)
  const call = (secret: string) => ({ name: 'validate_token', arguments: { secret } })
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
