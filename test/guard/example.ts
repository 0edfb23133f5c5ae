import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** An example as a process of its own. */
export interface Example {
  /** The address it prints. */
  url: string
  /** What it wrote to its error stream. */
  errors(): string
  stop(): Promise<void>
}

/** Starts a file of examples/ as its page says. */
export async function startExample(file: string, env: Record<string, string>): Promise<Example> {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), `examples/${file}`], {
    cwd: root,
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  // A test that fails before it stops one leaves none behind.
  const kill = () => void child.kill()
  process.once('exit', kill)
  void ended.then(() => process.off('exit', kill))
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => resolve(String(chunk).trim()))
    void ended.then(() => reject(new Error(`${file} ended: ${said}`)))
  })
  return {
    url,
    errors: () => said,
    async stop() {
      child.kill()
      await ended
    },
  }
}

/** An official client, connected with that token. */
export async function connected(url: string, secret: string): Promise<Client> {
  const client = new Client({ name: 'test client', version: '9.9' })
  const requestInit = { headers: { authorization: `Bearer ${secret}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }) as never)
  return client
}

export const callOf = (name: string, args: object = {}) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args },
})

/** One message as it is, with these headers beside those of its form. */
export function post(url: string, headers: Record<string, string>, message: unknown = callOf('whoami')) {
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  })
}

export const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })
