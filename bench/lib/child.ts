import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { buildDir } from './compile.ts'
import type { Ask, Reply } from './protocol.ts'

/** A process of ours: a server under test, a worker, or the load generator. */
export interface Child {
  pid: number
  /** Asks the child; rejects when it throws, dies, or takes over five minutes. */
  call<T>(name: string, args?: unknown): Promise<T>
  stop(): Promise<void>
}

interface Waiting {
  resolve(value: never): void
  reject(error: Error): void
}

const patience = 300_000

/** Starts a compiled file of `servers/`, `workers/` or the load generator as plain Node, without tsx in the process. */
export function startChild(name: string): Child {
  const child = fork(join(buildDir, `${name}.js`), {
    execArgv: [],
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, Waiting>()
  let calls = 0
  child.on('message', ({ id, result, error }: Reply) => {
    const one = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) one?.resolve(result as never)
    else one?.reject(new Error(`${name}: ${error}`))
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended with ${code}`))
  })
  return {
    pid: child.pid ?? 0,
    call: (what, args) =>
      new Promise((resolve, reject) => {
        const id = calls++
        const timer = setTimeout(() => reject(new Error(`${name}: no answer to '${what}'`)), patience).unref()
        const settle =
          <A>(then: (value: A) => void) =>
          (value: A) => {
            clearTimeout(timer)
            then(value)
          }
        waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
        child.send({ id, name: what, args } satisfies Ask)
      }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await ended
      clearTimeout(timer)
    },
  }
}
