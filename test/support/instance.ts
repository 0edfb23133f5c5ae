import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { type App, openApp } from '../../src/app.ts'
import type { Actor } from '../../src/core/actor.ts'
import { authenticate } from '../../src/core/authenticate.ts'
import type { Caller, Via } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { type Core, invoke, invokeDialect } from '../../src/core/invoke.ts'
import type { AnyOperation, Operation } from '../../src/core/operation.ts'
import type { Role } from '../../src/core/permissions.ts'
import { makeLog } from '../../src/log.ts'
import type { Database, Place } from './databases.ts'

/** A clock the test moves. */
export interface Clock {
  now: number
  /** Moves it forward, ms. */
  pass(ms: number): void
}

export interface Instance {
  app: App
  core: Core
  place: Place
  clock: Clock
  /** The lines the process logged. */
  log: string[]
  adminKey: string
  /** Calls an operation as a local user of that role, or as any actor; `via` defaults to v1. */
  call<I extends z.ZodObject, O extends z.ZodObject, P>(
    as: Role | Actor,
    operation: Operation<I, O, P>,
    input: z.input<I>,
    via?: Via,
    ip?: string | null,
  ): Promise<z.output<O>>
  /** As `call`, for the table of a dialect: with the members that only it gives and gets. */
  dialect<I extends z.ZodObject, O extends z.ZodObject, P, F extends z.ZodObject, G extends z.ZodObject>(
    as: Role | Actor,
    operation: Operation<I, O, P, F, G>,
    input: Partial<z.input<I>> & Partial<z.input<F>>,
    via?: Via,
  ): Promise<z.output<O> & Partial<z.output<G>>>
  /** The actor behind a secret, as a face would find it. */
  actor(secret: string, ip?: string): Promise<Actor>
  close(): Promise<void>
}

/** A real instance on a fresh store, with a clock of its own that starts now. */
export async function openInstance(database: Database, place?: Place): Promise<Instance> {
  const where = place ?? (await database.fresh())
  const log: string[] = []
  const clock: Clock = {
    now: Date.now(),
    pass(ms) {
      clock.now += ms
    },
  }
  const app = await openApp({
    dataDir: where.dataDir,
    location: where.location,
    serving: true,
    log: makeLog('debug', { write: (line) => log.push(line) }),
    clock: () => clock.now,
  })
  const { core } = app
  return {
    app,
    core,
    place: where,
    clock,
    log,
    adminKey: readFileSync(join(where.dataDir, 'admin.key'), 'utf8').trim(),
    call: (as, operation, input, via = 'v1', ip = null) =>
      invoke(core, callerOf(as, via, ip), operation, input),
    dialect: (as, operation, input, via = 'enkrypt') =>
      invokeDialect(core, callerOf(as, via, null), operation as unknown as AnyOperation, input) as never,
    actor: (secret, ip) => authenticate(core.verifier, secret, ip ?? null),
    async close() {
      await app.close()
      if (place === undefined) await where.remove()
    },
  }
}

function callerOf(as: Role | Actor, via: Via, ip: string | null): Caller {
  const actor: Actor = typeof as === 'string' ? { kind: 'local', id: 'tester', role: as } : as
  return { actor, via, ip, client: null, request_id: 'req_test' }
}

/** The error code a call is refused with; a call that succeeds fails the test. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  return (await refusalError(call)).code
}

/** The refusal itself. */
export async function refusalError(call: Promise<unknown>): Promise<AppError> {
  try {
    await call
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
  throw new Error('expected a refusal, the call succeeded')
}
