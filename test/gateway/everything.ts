import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

const script = new URL(
  '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js',
  import.meta.url,
).pathname

export interface Everything {
  url: string
  port: number
  process: ChildProcess
  stop(): Promise<void>
}

/** A port nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** The real everything server over HTTP, of the current transport or of the one before. */
export async function startEverything(mode: 'streamableHttp' | 'sse', port?: number): Promise<Everything> {
  const on = port ?? (await freePort())
  const child = spawn(process.execPath, [script, mode], {
    env: { ...process.env, PORT: String(on) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const lines = createInterface({ input: child.stderr })
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the everything server ended with ${code}`)))
    lines.on('line', (line) => /listening on port|running on port/.test(line) && resolve())
  })
  return {
    url: `http://127.0.0.1:${on}${mode === 'sse' ? '/sse' : '/mcp'}`,
    port: on,
    process: child,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
