import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import type { Line } from './line.ts'
import type { Loader, LoadResult } from './load.ts'
import { alternate } from './rounds.ts'
import type { Subject } from './subject.ts'

/** How long everything is measured. */
export interface Plan {
  rounds: number
  warmupMs: number
  durationMs: number
  sizes: number[]
  spawns: number
  revocations: number
}

/** A store with tokens in it, and some of their secrets. */
export interface Seeded {
  dir: string
  /** Up to 10,000: the tokens in use. */
  secrets: string[]
  /** Up to 100,000, for a measurement that no cache of tokens helps. */
  wide: string[]
}

export interface Context {
  plan: Plan
  subject: Subject
  loader: Loader
  /** Notes something that is stopped when the row is over, however it ends. */
  own<T extends Stoppable>(thing: T): T
  /** Stops what was noted. */
  release(): Promise<void>
  /** An empty PostgreSQL database, for the row that asks for every store. */
  databaseUrl: string | undefined
  /** A folder of this run that is removed at its end. */
  dir(name: string): string
  seedBare(size: number, use?: string): Promise<Seeded>
  seedSubject(size: number, use?: string): Promise<Seeded>
}

interface Stoppable {
  stop(): Promise<void>
}

export interface Row {
  number: number
  title: string
  run(context: Context): Promise<Line[]>
}

type Given = Pick<Context, 'plan' | 'subject' | 'loader' | 'databaseUrl'>

export function makeContext(given: Given, root: string): Context {
  const dir = (name: string) => join(root, name)
  const owned: Stoppable[] = []
  const stores = new Map<string, Promise<Seeded>>()
  const seed = (subject: string, size: number, use: string) => {
    const name = `${subject}-${size}-${use}`
    const store = stores.get(name) ?? seeded(subject, dir(name), size)
    stores.set(name, store)
    return store
  }
  return {
    ...given,
    dir,
    own(thing) {
      owned.push(thing)
      return thing
    },
    async release() {
      await Promise.all(owned.splice(0).map((thing) => thing.stop()))
    },
    seedBare: (size, use = 'read') => seed('bare', size, use),
    seedSubject: (size, use = 'read') => seed(given.subject.name, size, use),
  }
}

async function seeded(subject: string, dir: string, count: number): Promise<Seeded> {
  const from = performance.now()
  const worker: Child = startChild('subject')
  try {
    const name = subject === 'bare' ? 'stand-in' : subject
    const wide = await worker.call<string[]>('seed', { subject: name, dir, count })
    console.log(`  ${subject}: ${count} tokens in ${((performance.now() - from) / 1_000).toFixed(1)} s`)
    return { dir, secrets: wide.slice(0, 10_000), wide }
  } finally {
    await worker.stop()
  }
}

/** Loads the named targets in turn and answers a result a round for each. */
export function race<Name extends string>(
  { loader, plan }: Context,
  connections: number,
  names: readonly Name[],
): Promise<Record<Name, LoadResult[]>> {
  const { warmupMs, durationMs, rounds } = plan
  const run = (name: Name) => () => loader.run({ name, connections, warmupMs, durationMs })
  const runs = Object.fromEntries(names.map((name) => [name, run(name)]))
  return alternate(rounds, runs as Record<Name, () => Promise<LoadResult>>)
}

/** Sends each body once, so that no secret is used for the first time while the clock runs. */
export async function sendAll({ loader }: Context, name: string, count: number): Promise<void> {
  await loader.run({ name, connections: 8, warmupMs: 0, durationMs: 120_000, count })
}
