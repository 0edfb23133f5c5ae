import { type Child, startChild } from './child.ts'
import { prove } from './prove.ts'

/** An endpoint and what is sent to it: the bodies are sent in turn, and each answer must be 200 and hold `expect`. */
export interface Target {
  port: number
  /** The server's process, whose CPU time is read. */
  pid: number
  path: string
  headers: Record<string, string>
  bodies: string[]
  expect: string
  /** Something it must not accept, and what its answer must hold instead; only an echo has none. */
  refuse?: { body: string; expect: string }
}

export interface Load {
  name: string
  connections: number
  warmupMs: number
  durationMs: number
  /** Stop after so many requests, if that comes before the time. */
  count?: number
}

/** Times in ms, CPU per request in µs; busy 1 = one core. */
export interface LoadResult {
  requests: number
  errors: number
  firstError: string
  rate: number
  p50: number
  p99: number
  cpuPerRequest: number
  serverBusy: number
  loaderBusy: number
}

/** The load generator, in a process of its own. */
export interface Loader {
  /** Proves that the endpoint accepts and refuses before anything is measured. */
  aim(name: string, target: Target): Promise<void>
  /** Rejects when any answer was wrong, because then something else was measured. */
  run(load: Load): Promise<LoadResult>
  /** The most that the load generator itself was busy, 1 = one core: near 1 it was what was measured. */
  busiest(): number
  stop(): Promise<void>
}

export function startLoader(): Loader {
  const child: Child = startChild('loader')
  let busiest = 0
  return {
    async aim(name, target) {
      await prove(name, target)
      await child.call('aim', { name, target })
    },
    async run(load) {
      const result = await child.call<LoadResult>('run', load)
      if (result.errors > 0) {
        throw new Error(`${load.name}: ${result.errors} wrong answers, the first: ${result.firstError}`)
      }
      busiest = Math.max(busiest, result.loaderBusy)
      return result
    },
    busiest: () => busiest,
    stop: () => child.stop(),
  }
}
