import type { EntryRuns } from '../../core/entries.ts'
import type { Logger } from '../../log.ts'
import { type Hears, type OpenConduit, UpstreamFault } from '../conduit.ts'
import { makeBackoff } from './backoff.ts'
import { openProgram } from './open.ts'
import { makePlaces } from './places.ts'
import { type Budget, makeBudget } from './said.ts'
import type { Tree } from './tree.ts'

type ProgramRuns = Extract<EntryRuns, { kind: 'program' }>

export interface ProgramsOptions {
  log: Logger
  /** Programs may be started (security R34). */
  allowed: boolean
  /** The variables of ours a program gets. */
  inherited: Readonly<Record<string, string>>
  /** Processes at once, over all servers; one server gets three quarters of them at most, so that others get some. */
  most?: number
}

/** The programs this process has started. */
export interface Programs {
  open(slug: string, runs: ProgramRuns): OpenConduit
  /** Ends all of them within 3 s. */
  close(): Promise<void>
}

/** Servers whose lines are counted, at most. */
const mostBudgets = 1_000

/** Starts programs within limits: so many at once, and ever more slowly what does not stay up. */
export function makePrograms({ log, allowed, inherited, most = 32 }: ProgramsOptions): Programs {
  const trees = new Set<Tree>()
  const opening = new Set<Promise<unknown>>()
  const places = makePlaces(most)
  const budgets = new Map<string, Budget>()
  const backoff = makeBackoff(() => performance.now())
  let closed = false
  // Whatever ends this process, what leads a group of its own would stay.
  const last = () => {
    for (const tree of trees) tree.kill()
  }
  process.once('exit', last)

  function budgetOf(slug: string): Budget {
    const known = budgets.get(slug) ?? makeBudget(log, slug)
    if (budgets.size >= mostBudgets) budgets.clear()
    budgets.set(slug, known)
    return known
  }

  /** Answers what frees the place again. */
  function admit(slug: string, runs: ProgramRuns): () => void {
    if (closed) throw new UpstreamFault('busy', 'No program is started any more.')
    const wait = backoff.wait(slug, runs)
    if (wait > 0)
      throw new UpstreamFault('crashed', `It ended soon after its start; it may start again in ${wait} ms.`)
    return places.take(slug)
  }

  async function open(slug: string, runs: ProgramRuns, hears: Hears) {
    const began = performance.now()
    // Taken before anything is awaited: those who come at the same moment are counted too.
    const free = allowed ? admit(slug, runs) : () => {}
    const crashed = ({ message }: { message: string }) => {
      const wait = backoff.crashed(slug, runs, performance.now() - began)
      if (!closed) log.warn({ server: slug, reason: message, wait_ms: wait }, 'a program ended by itself')
    }
    const started = (tree: Tree) => {
      trees.add(tree)
      const about = { server: slug, pid: tree.child.pid }
      log.info(about, 'a program was started')
      void tree.exited.then((how) => log.info({ ...about, how }, 'a program has ended'))
      void tree.gone.then(() => {
        trees.delete(tree)
        free()
      })
    }
    const told = {
      ...hears,
      closed(fault: UpstreamFault) {
        crashed(fault)
        hears.closed(fault)
      },
    }
    const options = { allowed, inherited, log, budget: budgetOf(slug), started }
    try {
      return await openProgram({ ...runs, slug }, options)(told)
    } catch (error) {
      free()
      if (error instanceof UpstreamFault && error.problem === 'crashed') crashed(error)
      throw error
    }
  }

  return {
    open: (slug, runs) => async (hears) => {
      const opened = open(slug, runs, hears).finally(() => opening.delete(opened))
      opening.add(opened)
      return opened
    },
    async close() {
      closed = true
      await Promise.allSettled(opening)
      await Promise.all([...trees].map((tree) => tree.end()))
      process.removeListener('exit', last)
    },
  }
}
