import { timingSafeEqual } from 'node:crypto'
import type { Db } from '../../db/open.ts'
import * as settings from '../../db/settings.ts'
import { type Budget, budgetOf, exceeds, usedUp } from './budget.ts'
import type { Caller, Question, Reply } from './context.ts'
import { isModelFace } from './delivery.ts'
import { AppError, TakenBack } from './errors.ts'
import type { AnyOperation } from './operation.ts'
import { type Seen, type Witness, watch } from './preview.ts'
import type { Steps } from './two-steps.ts'

type Run<T> = (caller: Caller, witness: Witness) => Promise<T>

/** What stands behind the second step. */
interface Agreed {
  /** The digest of what was shown. */
  confirm: string
  by: 'person' | 'digest'
  /** A person lifted the budget for this call and those behind it. */
  lifted: boolean
}

/**
 * Runs an operation in two steps: it shows what would happen, and does it once exactly that was agreed to, by a person who is
 * asked or with the digest of what was shown. The comparison is in the transaction of the change.
 */
export async function carefully<T>(
  core: { store: { read: Db }; clock(): number },
  caller: Caller,
  operation: AnyOperation,
  input: Steps,
  run: Run<T>,
): Promise<T | { preview: Seen['view'] }> {
  const { dry_run, confirm } = input
  if (dry_run === true && confirm !== undefined) {
    throw new AppError('invalid_input', 'dry_run, confirm: only one of them can be given.', {
      field: 'confirm',
    })
  }
  const show = () => rehearsed(caller, operation, input, run)
  if (dry_run === true) return { preview: (await show()).view }
  const counts = operation.effect === 'destroy' && isModelFace(caller.via)
  const { read } = core.store
  const now = new Date(core.clock()).toISOString()
  const budget = counts ? await budgetOf(read, await settings.load(read), caller.actor, now) : undefined
  const agreed = await agreement(caller, operation, { confirm, budget, show })
  return run(caller, async (work, make) => {
    const { output, seen } = await watch(operation, input, work, make)
    if (!same(seen.view.confirm, agreed.confirm)) throw stale(operation)
    const { ctx } = work
    if (counts) {
      const weight = agreed.by === 'person' || operation.touches === undefined ? 1 : seen.weight
      const left = await budgetOf(ctx.db, await ctx.settings(), ctx.actor, ctx.now)
      if (!agreed.lifted && exceeds(left, weight)) throw usedUp(left, weight, ctx.now)
      ctx.note({ budgeted: weight, ...(agreed.lifted && { lifted: true }) })
    }
    ctx.note({ confirmed_by: agreed.by })
    return output
  })
}

/** What it would do: it is made by the same code as ever, and taken back before it is kept. */
async function rehearsed<T>(
  { dialogue: _, ...silent }: Caller,
  operation: AnyOperation,
  input: object,
  run: Run<T>,
): Promise<Seen> {
  try {
    await run(silent, async (work, make) => {
      const { seen } = await watch(operation, input, work, make)
      throw new TakenBack(seen)
    })
  } catch (error) {
    if (error instanceof TakenBack) return error.seen as Seen
    throw error
  }
  throw new Error('a change that was only tried is taken back')
}

interface Asked {
  confirm: string | undefined
  budget: Budget | undefined
  show(): Promise<Seen>
}

/** Asks for what is missing, before anything is changed. */
async function agreement(
  { dialogue }: Caller,
  operation: AnyOperation,
  { confirm, budget, show }: Asked,
): Promise<Agreed> {
  const fill = dialogue?.fill
  const ask = async (question: Question) => {
    const reply = await fill?.(question)
    // Whoever gave the call up has not agreed to anything.
    return dialogue?.signal.aborted === true ? undefined : reply
  }
  if (confirm === undefined) {
    const { view, question, weight: _ } = await show()
    if (fill === undefined) throw unconfirmed(operation)
    const lifts = exceeds(budget, 1)
    const asked = formOf({ confirm: 'Carry it out', ...(lifts && { lift: liftOf(budget) }) })
    const message = lifts ? `${question} ${overOf(budget)}` : question
    const reply = await ask({ key: `confirm_${view.confirm}`, message, schema: asked })
    requireYes(reply, lifts ? ['confirm', 'lift'] : ['confirm'])
    return { confirm: view.confirm, by: 'person', lifted: lifts }
  }
  const weight = operation.touches === undefined || budget === undefined ? 1 : (await show()).weight
  if (fill === undefined || !exceeds(budget, weight)) return { confirm, by: 'digest', lifted: false }
  const { question, view } = await show()
  if (!same(view.confirm, confirm)) throw stale(operation)
  const message = `${question} ${overOf(budget)}`
  const reply = await ask({ key: `lift_${confirm}`, message, schema: formOf({ lift: liftOf(budget) }) })
  requireYes(reply, ['lift'])
  return { confirm, by: 'person', lifted: true }
}

function overOf({ limit }: Budget): string {
  return `It would be more than ${limit} destructive operations in an hour, which only you can allow.`
}

function liftOf({ limit }: Budget): string {
  return limit === 0 ? 'Allow it this once' : `Allow it, and ${limit} in all from here on`
}

function formOf(titles: Record<string, string>): object {
  const properties = Object.entries(titles).map(([name, title]) => [name, { type: 'boolean', title }])
  return { type: 'object', properties: Object.fromEntries(properties), required: Object.keys(titles) }
}

function requireYes(reply: Reply | undefined, members: readonly string[]): void {
  const said = (name: string) => Object.hasOwn(reply?.content ?? {}, name) && reply?.content[name] === true
  if (reply?.action === 'accept' && members.every(said)) return
  const why = reply?.action === 'cancel' || reply === undefined ? 'gave no answer' : 'did not agree'
  throw new AppError(
    'conflict',
    `The user ${why}; nothing was changed. Do not ask again unless they want it.`,
    {
      reason: 'declined',
    },
  )
}

function unconfirmed({ name }: AnyOperation): AppError {
  return new AppError(
    'conflict',
    `Nothing was changed: ${name} needs a confirm. Call it again with dry_run: true, show the user what it answers, and once they agree call it with that confirm.`,
    { field: 'confirm', reason: 'unconfirmed' },
  )
}

function stale({ name }: AnyOperation): AppError {
  return new AppError(
    'conflict',
    `Nothing was changed: the confirm is not of this call as things stand now. Call ${name} with dry_run: true again and show the user what it answers.`,
    { field: 'confirm', reason: 'stale' },
  )
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
