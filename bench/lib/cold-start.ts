import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { cpuOf } from './cpu.ts'
import { type Era, openings } from './mcp.ts'
import type { Command } from './subject.ts'

/** CPU time of the process and time on the clock, in ms, from spawn to the answer to `tools/list`. */
export async function coldStart(
  { command, args, env }: Command,
  era: Era,
): Promise<{ cpu: number; wall: number; tools: number }> {
  const { begin, next, list } = openings[era]
  const from = performance.now()
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'ignore'] })
  const giveUp = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  child.stdin.on('error', () => {})
  try {
    send({ id: 1, ...begin })
    for await (const line of createInterface({ input: child.stdout })) {
      const { id, result } = JSON.parse(line) as { id?: number; result?: { tools?: unknown[] } }
      if (id === 1) {
        if (next !== undefined) send(next)
        send({ id: 2, ...list })
      }
      if (id !== 2) continue
      const wall = performance.now() - from
      return { cpu: cpuOf(child.pid ?? 0) / 1e6, wall, tools: result?.tools?.length ?? 0 }
    }
    throw new Error(`${command} ${args.join(' ')} ended before it listed its tools`)
  } finally {
    child.stdin.end()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    clearTimeout(giveUp)
  }
}
