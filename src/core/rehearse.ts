import { may } from './actor.ts'
import type { Context } from './context.ts'
import { AppError, lacking } from './errors.ts'
import type { Gate } from './gate.ts'
import type { AnyOperation } from './operation.ts'
import { parseInput } from './parse.ts'
import { type Turn, transaction } from './transaction.ts'

/** What came of a change that was made and taken back. */
export interface Rehearsed<Seen> {
  /** What the change is refused with; undefined = it would be made. */
  refused: AppError | undefined
  /** Before the change and after it; twice the same where its own rules refuse it. */
  before: Seen
  after: Seen
  /** What the operation answers; undefined where its own rules refuse it. */
  output: unknown
}

interface Stage {
  chain: Parameters<typeof transaction>[0]
  trials: Gate
  operations: ReadonlyMap<string, AnyOperation>
  /** For work that is not in the transaction. */
  outside: Context
  inside(turn: Turn): Context
}

const takenBack = new Error('the change was rehearsed only')

/**
 * Makes a change exactly as its operation does, by the same code under the same lock, and rolls it back: no row stays, not
 * even in the trail, and nothing is delivered. Whether the caller may make it is judged last, so that those who may only
 * read see what it would do.
 */
export async function rehearse<Seen>(
  { chain, trials, operations, outside, inside }: Stage,
  name: string,
  raw: object,
  look: (ctx: Context) => Promise<Seen>,
): Promise<Rehearsed<Seen>> {
  const operation = operations.get(name)
  if (operation === undefined) throw new Error(`no operation ${name}`)
  const input = parseInput(operation, raw)
  operation.check?.(input, outside.now)
  const prepared = await attempt(async () => operation.prepare?.(outside, input))
  const seen = await trials(() =>
    rolledBack(chain, async (turn) => {
      const ctx = inside(turn)
      const before = await look(ctx)
      const made =
        prepared.refused === undefined
          ? await attempt(() => operation.run(ctx, input, prepared.output))
          : { ...prepared, output: undefined }
      return { ...made, before, after: made.refused === undefined ? await look(ctx) : before }
    }),
  )
  return { ...seen, refused: seen.refused ?? unpermitted(outside, operation, input) }
}

/** As `transaction`, with nothing of it kept. */
async function rolledBack<T>(chain: Stage['chain'], work: (turn: Turn) => Promise<T>): Promise<T> {
  const done: T[] = []
  try {
    await transaction(chain, async (turn) => {
      done.push(await work(turn))
      throw takenBack
    })
  } catch (error) {
    if (error !== takenBack) throw error
  }
  const [result] = done
  if (result === undefined) throw new Error('a transaction that was taken back has a result')
  return result
}

async function attempt(work: () => Promise<unknown>) {
  try {
    return { refused: undefined, output: await work() }
  } catch (error) {
    if (error instanceof AppError) return { refused: error, output: undefined }
    throw error
  }
}

function unpermitted({ actor }: Context, operation: AnyOperation, input: object): AppError | undefined {
  const { name, permission, permitsSelf } = operation
  if (may(actor, permission) || permitsSelf?.(actor, input) === true) return undefined
  return lacking(name, permission)
}
