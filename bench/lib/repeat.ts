import { setImmediate as turn } from 'node:timers/promises'

const batch = 64
let done = 0

/**
 * Does the work for `ms`, one after another, and answers operations per second; every 64 the event loop gets its turn.
 * Throws when the work answers false, as then something else was measured.
 */
export async function repeat(ms: number, work: (i: number) => unknown): Promise<number> {
  const from = performance.now()
  let count = 0
  while (performance.now() - from < ms) {
    for (let i = 0; i < batch; i++) {
      const result = work(done++)
      if ((result instanceof Promise ? await result : result) === false)
        throw new Error('a good secret was refused')
    }
    count += batch
    await turn()
  }
  return count / ((performance.now() - from) / 1_000)
}
