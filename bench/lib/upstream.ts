import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** A published MCP server over streamable HTTP, in a process of its own. */
export interface Upstream {
  url: string
  port: number
  pid: number
  stop(): Promise<void>
}

const script = join(process.cwd(), '../node_modules/@modelcontextprotocol/server-everything/dist/index.js')

/** Starts `@modelcontextprotocol/server-everything`, as the product's own tests do. */
export async function startEverything(): Promise<Upstream> {
  const port = await freePort()
  const child: ChildProcess = spawn(process.execPath, [script, 'streamableHttp'], {
    env: { ...process.env, PORT: String(port) },
    stdio: 'ignore',
  })
  process.once('exit', () => child.kill())
  const url = `http://127.0.0.1:${port}/mcp`
  for (let tries = 0; tries < 200; tries += 1) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { url, port, pid: child.pid ?? 0, stop: async () => void child.kill('SIGKILL') }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
