import type { z } from 'zod'
import { isUnavailable, isUniqueViolation } from '../../db/errors.ts'
import type { Lookups } from '../../db/lookup.ts'
import type { Db, Store } from '../../db/open.ts'
import * as settings from '../../db/settings.ts'
import { type IdKind, makeId } from '../domain/id.ts'
import { isoOf } from '../domain/iso.ts'
import type { Keys } from '../domain/keys.ts'
import type { Settings } from '../domain/settings.ts'
import { type Actor, may, scopeOf } from './actor.ts'
import { auditRow, type Trail } from './audit-row.ts'
import { toPredecessor, unauthenticated } from './authenticate.ts'
import { carefully } from './carefully.ts'
import type { Changes } from './changes.ts'
import type { Caller, Context, Event, Host } from './context.ts'
import { dialectShapes } from './dialect-shapes.ts'
import type { Entries } from './entries.ts'
import { AppError, GivenBack, lacking } from './errors.ts'
import type { Gate } from './gate.ts'
import * as idempotent from './idempotent.ts'
import type { AnyOperation, Given, Made, Operation } from './operation.ts'
import { parseInput } from './parse.ts'
import type { Permission } from './permissions.ts'
import type { Witness } from './preview.ts'
import { rehearse } from './rehearse.ts'
import type { SignInLimits } from './sign-in-limits.ts'
import type { StillGood } from './still-good.ts'
import type { Tallies } from './tallies.ts'
import { type Turn, transaction } from './transaction.ts'
import type { Uses } from './uses.ts'
import type { Verifier } from './verify.ts'
import { withMend } from './with-mend.ts'

/** What operations run on; one per process. */
export interface Core {
  store: Store
  /** Every operation by its name, for those that rehearse another. */
  operations: ReadonlyMap<string, AnyOperation>
  keys: Keys
  verifier: Verifier
  lookups: Lookups
  entries: Entries
  stillGood: StillGood
  changes: Changes
  uses: Uses
  tallies: Tallies
  signIns: SignInLimits
  /** Where changes wait that are tried out, or compared with what was shown. */
  trials: Gate
  host: Host
  clock(): number
  /** Tells the log of a fault nobody expected; the caller only gets its request id. */
  report(error: unknown, caller: Caller): void
}

type Shape = z.ZodObject

/** Runs an operation for a caller: parse → authorize → transaction(run + audit) → deliver → output parse. */
export async function invoke<I extends Shape, O extends Shape, P, F extends Shape, G extends Shape>(
  core: Core,
  caller: Caller,
  operation: Operation<I, O, P, F, G>,
  raw: unknown,
): Promise<z.output<O>> {
  try {
    const input = parseInput(operation, raw) as Given<I, F>
    const output =
      operation.confirms === true
        ? await carefully(core, caller, operation as unknown as AnyOperation, input, (as, witness) =>
            run(core, as, operation, input, { witness }),
          )
        : await run(core, caller, operation, input)
    return operation.output.parse(output)
  } catch (error) {
    if (error instanceof GivenBack) throw error
    throw told(core, caller, withMend(operation as unknown as AnyOperation, error))
  }
}

/**
 * As `invoke`, for the table of a dialect: it gives and gets the members that are for dialects only, and may ask for one
 * permission more than the operation does.
 */
export async function invokeDialect(
  core: Core,
  caller: Caller,
  operation: AnyOperation,
  raw: unknown,
  narrowed?: Permission,
): Promise<object> {
  const shapes = dialectShapes(operation)
  try {
    return shapes.output.parse(await run(core, caller, operation, parseInput(shapes, raw), { narrowed }))
  } catch (error) {
    throw told(core, caller, error)
  }
}

/** Refuses a caller without the permission before anything of the call is read; a denial is on record. */
export async function refuseUnpermitted(
  core: Core,
  caller: Caller,
  operation: AnyOperation,
  narrowed?: Permission,
): Promise<void> {
  const { permitsSelf: _, ...unread } = operation
  const missing = missingOf(caller.actor, operation, narrowed)
  if (missing === undefined) return
  try {
    await exceptionally(core, caller, unread, {}, missing)
  } catch (error) {
    throw told(core, caller, error)
  }
}

async function run<I extends Shape, O extends Shape, P, F extends Shape, G extends Shape>(
  core: Core,
  caller: Caller,
  operation: Operation<I, O, P, F, G>,
  input: Given<I, F>,
  { narrowed, witness }: { narrowed?: Permission | undefined; witness?: Witness | undefined } = {},
): Promise<Made<O, G>> {
  const any = operation as unknown as AnyOperation
  const fault = faultOf(core, any, input)
  // A repeat gets its answer although the end it asked for has passed by now.
  const isRepeat = operation.retryable === true && 'idempotency_key' in input
  if (fault !== undefined && !isRepeat) throw fault
  const missing = missingOf(caller.actor, any, narrowed)
  const access = missing === undefined ? 'full' : await exceptionally(core, caller, any, input, missing)
  try {
    // Awaited here, or what is refused inside would not be on record.
    return operation.effect === 'read'
      ? await read(core, caller, operation, input)
      : await write(core, caller, operation, input, { access, fault, witness })
  } catch (error) {
    return await refusedInside(core, caller, any, input, error)
  }
}

function faultOf({ clock }: Core, operation: AnyOperation, input: object): unknown {
  try {
    return operation.check?.(input, new Date(clock()).toISOString())
  } catch (error) {
    return error
  }
}

type Access = 'full' | 'repeat_only'

interface Judged {
  access: Access
  fault: unknown
  witness: Witness | undefined
}

/** The permission a caller would need and has not. */
function missingOf(
  actor: Actor,
  { permission }: AnyOperation,
  narrowed: Permission = permission,
): Permission | undefined {
  if (!may(actor, permission)) return permission
  return may(actor, narrowed) ? undefined : narrowed
}

/**
 * What a caller may do without the permission, decided before any look-up; a denial of a change leaves a row, a denied
 * read is counted.
 */
async function exceptionally(
  core: Core,
  caller: Caller,
  operation: AnyOperation,
  input: object,
  missing: Permission,
): Promise<Access> {
  const { actor } = caller
  if (operation.permitsSelf?.(actor, input) === true) {
    if (!('predecessor' in actor && actor.predecessor) || operation.effect === 'read') return 'full'
    // A predecessor may do just one thing more: fetch the answer of the rotation that replaced it (security R47).
    if (operation.retryable === true && 'idempotency_key' in input) return 'repeat_only'
  }
  await deny(core, caller, operation, input)
  if (actor.kind === 'nobody' || ('predecessor' in actor && actor.predecessor)) throw unauthenticated()
  throw lacking(operation.name, missing)
}

/** What only the work itself finds, such as reach beyond the caller's own, is a denied attempt as well (security R38). */
async function refusedInside(
  core: Core,
  caller: Caller,
  operation: AnyOperation,
  input: object,
  error: unknown,
): Promise<never> {
  const denied = error instanceof AppError && ['forbidden', 'unauthenticated'].includes(error.code)
  if (denied) await deny(core, caller, operation, input)
  throw error
}

async function deny(core: Core, caller: Caller, operation: AnyOperation, input: object): Promise<void> {
  const { name, effect, target } = operation
  const trail: Trail = { action: name, outcome: 'denied', target_id: target?.(input) ?? null, details: {} }
  if (effect === 'read') {
    const { actor_kind, actor_id, actor_name, role, via, ip, action } = auditRow(caller, trail, '')
    return core.tallies.count({ actor_kind, actor_id, actor_name, role, via, ip, action })
  }
  await transaction(chain(core), ({ append, now }) => append([auditRow(caller, trail, now)]))
}

async function read<I extends Shape, O extends Shape, P, F extends Shape, G extends Shape>(
  core: Core,
  caller: Caller,
  operation: Operation<I, O, P, F, G>,
  input: Given<I, F>,
): Promise<Made<O, G>> {
  // A validation shows nothing of earlier uses, so no writer holds it up (security R45).
  if (operation.permission !== 'tokens:validate') await core.uses.settled()
  const ctx = context(core, caller, core.store.read, core.clock(), 0)
  const prepared = operation.prepare && (await operation.prepare(ctx, input))
  return operation.run(ctx, input, prepared as P)
}

async function write<I extends Shape, O extends Shape, P, F extends Shape, G extends Shape>(
  core: Core,
  caller: Caller,
  operation: Operation<I, O, P, F, G>,
  input: Given<I, F>,
  { access, fault, witness }: Judged,
): Promise<Made<O, G>> {
  const before = context(core, caller, core.store.read, core.clock(), 0)
  const attempt = idempotent.attemptOf(core.keys, caller, operation, input)
  if (attempt !== undefined) await operation.admit?.(before, input)
  const kept = attempt && (await idempotent.recall(before.db, attempt, before.now))
  if (access === 'repeat_only' && kept === undefined) throw unauthenticated()
  if (fault !== undefined && kept === undefined) throw fault
  const output = (kept ??
    (await change(core, caller, operation, input, { before, attempt, witness }))) as Made<O, G>
  return operation.deliver === undefined ? output : operation.deliver(before, output, input)
}

interface Setting {
  before: Context
  attempt: idempotent.Attempt | undefined
  witness: Witness | undefined
}

/** The transaction of a change: what it does, its audit rows and its kept answer, all or nothing. */
async function change<I extends Shape, O extends Shape, P, F extends Shape, G extends Shape>(
  core: Core,
  caller: Caller,
  operation: Operation<I, O, P, F, G>,
  input: Given<I, F>,
  { before, attempt, witness }: Setting,
): Promise<Made<O, G>> {
  const prepared = (await operation.prepare?.(before, input)) as P
  const held = (work: (turn: Turn) => Promise<Made<O, G>>) => transaction(chain(core), work)
  const turn: typeof held = witness === undefined ? held : (work) => core.trials(() => held(work))
  return turn(async ({ db, now, seq, append }) => {
    // Two callers with one key meet here: the second finds the answer of the first.
    const kept = attempt && (await idempotent.recall(db, attempt, now))
    if (kept !== undefined) return kept as Made<O, G>
    const ctx = context(core, caller, db, Date.parse(now), seq)
    const details: Record<string, unknown> = {}
    const events: Event[] = []
    ctx.note = (facts) => void Object.assign(details, facts)
    ctx.record = (event) => void events.push(event)
    let outcome: Trail['outcome'] = 'ok'
    ctx.deny = (facts) => {
      outcome = 'denied'
      ctx.note(facts)
    }
    const work = () => operation.run(ctx, input, prepared)
    const output =
      witness === undefined ? await work() : ((await witness({ ctx, details, events }, work)) as Made<O, G>)
    const target_id = operation.target?.(input, output) ?? null
    const trail: Trail[] = [
      { action: operation.name, outcome, target_id, details },
      ...events.map((event): Trail => ({ ...event, outcome: 'ok', details: event.details ?? {} })),
    ]
    await append(trail.map((row) => auditRow(caller, row, now)))
    if (attempt !== undefined) await idempotent.keep(db, attempt, output, target_id, now)
    return output
  })
}

function chain({ store, keys, clock }: Core) {
  return { store, auditKey: keys.audit, clock }
}

function context(core: Core, caller: Caller, db: Db, at: number, seq: number): Context {
  let made = 0
  let loaded: Promise<Settings> | undefined
  const ctx: Context = {
    db,
    actor: caller.actor,
    scope: scopeOf(caller.actor),
    via: caller.via,
    ip: caller.ip,
    request_id: caller.request_id,
    ...(caller.dialogue && { dialogue: caller.dialogue }),
    now: isoOf(at),
    keys: core.keys,
    verifier: core.verifier,
    lookups: core.lookups,
    host: core.host,
    settings() {
      loaded ??= settings.load(db)
      return loaded
    },
    newId(kind: IdKind) {
      made += 1
      return makeId(kind, at, seq, made)
    },
    snapshot: (work) => core.store.snapshot(work),
    rehearse(name, input, look) {
      const inside = (turn: Turn) => context(core, caller, turn.db, Date.parse(turn.now), turn.seq)
      return rehearse(
        { chain: chain(core), trials: core.trials, operations: core.operations, outside: ctx, inside },
        name,
        input,
        look,
      )
    },
    record: () => undefined,
    note: () => undefined,
    deny: () => undefined,
  }
  return ctx
}

/** What a caller is told of an error: a refusal as it is, anything else without its text. */
export function told(core: Core, caller: Caller, error: unknown): AppError {
  if (error instanceof AppError) return toPredecessor(caller.actor, error)
  if (isUnavailable(error)) {
    core.report(error, caller)
    return new AppError('unavailable', 'The token store cannot be reached now. Try again in a few seconds.', {
      cause: error,
    })
  }
  if (isUniqueViolation(error)) {
    return new AppError('conflict', 'Another change came first. Read the current state and try again.', {
      cause: error,
    })
  }
  core.report(error, caller)
  return new AppError('internal', `Internal error. Tell the operator the request id ${caller.request_id}.`, {
    cause: error,
  })
}
