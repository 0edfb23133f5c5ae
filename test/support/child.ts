import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import pg from 'pg'
import { openApp } from '../../src/app.ts'
import type { Caller } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { invoke } from '../../src/core/invoke.ts'
import type { AnyOperation } from '../../src/core/operation.ts'
import { makeLog } from '../../src/log.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'

/** What a child process is told to do; `test/support/processes.ts` starts it. */
export interface Task {
  work: 'open' | 'write' | 'rotate' | 'revoke' | 'hold' | 'validate' | 'count' | 'use'
  dataDir: string
  location: string
  serving?: boolean
  /** rotate: the token, and how often; hold: ms; validate, count, use: the secret. */
  id?: string
  secret?: string
  times?: number
  /** write: ms to pause after each change. */
  pause?: number
  /** use: ms between two flushes. */
  flushEvery?: number
  /** open: end the process with SIGKILL at the nth statement. */
  dieAt?: number
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task
const caller: Caller = {
  actor: { kind: 'local', id: `child ${process.pid}`, role: 'admin' },
  via: 'cli',
  ip: null,
  client: null,
  request_id: 'req_child',
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** Dies inside the nth statement of either driver, as if the power went. */
function dieAt(nth: number): void {
  let count = 0
  const tick = () => {
    count += 1
    if (count === nth) process.kill(process.pid, 'SIGKILL')
  }
  const { prepare } = Database.prototype
  Database.prototype.prepare = function (this: Database.Database, text: string) {
    tick()
    return prepare.call(this, text)
  } as typeof prepare
  const query = pg.Client.prototype.query as (...args: unknown[]) => unknown
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    tick()
    return query.apply(this, args)
  } as typeof pg.Client.prototype.query
}

function open() {
  return openApp({
    dataDir: task.dataDir,
    location: task.location,
    serving: task.serving ?? false,
    ...(task.flushEvery === undefined ? {} : { flushEvery: task.flushEvery }),
    log: makeLog('silent'),
  })
}

type App = Awaited<ReturnType<typeof open>>

// biome-ignore lint/suspicious/noExplicitAny: whatever the operation answers
const run = (app: App, operation: AnyOperation, input: object): Promise<any> =>
  invoke(app.core, caller, operation, input)

const works: Record<Task['work'], () => Promise<void>> = {
  async open() {
    if (task.dieAt !== undefined) dieAt(task.dieAt)
    const app = await open()
    say({ opened: true, adminKeyFile: app.adminKeyFile ?? null })
    await app.close()
  },

  /** Creates, rotates and revokes for ever, and acknowledges each change once it is told to have happened. */
  async write() {
    const app = await open()
    for (let n = 0; ; n++) {
      const made = await run(app, create_token, { name: `written ${n}` })
      say({ id: made.token.id, generation: 1, secret: made.delivery.secret, revoked: false })
      const turned = await run(app, rotate_token, { token_id: made.token.id, grace_seconds: 60 })
      say({ id: made.token.id, generation: 2, secret: turned.delivery.secret, revoked: false })
      if (n % 2 === 0) {
        await run(app, revoke_token, { token_id: made.token.id })
        say({ id: made.token.id, generation: 2, secret: turned.delivery.secret, revoked: true })
      }
      if (task.pause !== undefined) await sleep(task.pause)
    }
  },

  /** Rotates one token many times beside others, and validates each new secret at once. */
  async rotate() {
    const app = await open()
    say({ ready: true })
    await new Promise((resolve) => process.stdin.once('data', resolve))
    const seen = { won: [] as { generation: number; secret: string }[], conflicts: 0, dead: 0 }
    for (let n = 0; n < (task.times ?? 0); n++) {
      try {
        const { token, delivery } = await run(app, rotate_token, { token_id: task.id })
        seen.won.push({ generation: token.generation, secret: delivery.secret })
        const { verdict } = await app.core.verifier.verify(delivery.secret, {})
        const now = await run(app, get_token, { token_id: task.id })
        if (verdict !== 'valid' && now.token.generation === token.generation) seen.dead += 1
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'conflict') throw error
        seen.conflicts += 1
      }
    }
    say(seen)
    process.stdin.unref()
    await app.close()
  },

  /** Revokes each token it is named on a line of its input. */
  async revoke() {
    const app = await open()
    say({ ready: true })
    let rest = ''
    for await (const chunk of process.stdin) {
      rest += String(chunk)
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const id of lines) {
        await run(app, revoke_token, { token_id: id })
        say({ revoked: id })
      }
    }
    await app.close()
  },

  /** Holds the write lock. */
  async hold() {
    const handle = new Database(task.location)
    handle.exec('begin exclusive')
    say({ held: true })
    await sleep(task.times ?? 0)
    handle.exec('rollback')
    say({ held: false })
    handle.close()
  },

  /** Uses one secret many times, ten at once, beside others, and says how many uses were let through. */
  async count() {
    const app = await open()
    say({ ready: true })
    await new Promise((resolve) => process.stdin.once('data', resolve))
    const seen: string[] = []
    const lane = async () => {
      for (let n = 0; n < (task.times ?? 0) / 10; n++)
        seen.push((await app.core.verifier.verify(task.secret ?? '', {}, { count: true })).verdict)
    }
    await Promise.all(Array.from({ length: 10 }, lane))
    const times = (verdict: string) => seen.filter((one) => one === verdict).length
    say({ valid: times('valid'), limit_reached: times('limit_reached') })
    process.stdin.unref()
    await app.close()
  },

  /** Uses one secret without end, each use counted, and says of each that it was let through. */
  async use() {
    const app = await open()
    for (let used = 1; ; used++) {
      const { verdict } = await app.core.verifier.verify(task.secret ?? '', {}, { count: true })
      say({ used, verdict, at: Date.now() })
      await sleep(2)
    }
  },

  /** Validates one secret every few ms and says what it gets, until it is ended. */
  async validate() {
    const app = await open()
    for (;;) {
      const verdict = await app.core.verifier.verify(task.secret ?? '', {}).then(
        (verified) => verified.verdict,
        (error: { code?: unknown }) => `error ${String(error.code)}`,
      )
      say({ verdict })
      await sleep(10)
    }
  },
}

await works[task.work]()
