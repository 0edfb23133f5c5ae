import { statSync } from 'node:fs'
import { StoreUnavailable } from './errors.ts'

/** How often it is looked, ms at least. */
const checkEvery = 100

/** Refuses to go on when the file at the path is no longer the one that was opened (R18). */
export function identity(path: string): () => void {
  const opened = statSync(path).ino
  let checkedAt = 0
  let problem: StoreUnavailable | undefined
  return () => {
    const now = Date.now()
    if (now - checkedAt >= checkEvery) {
      checkedAt = now
      const same = inodeOf(path) === opened
      problem = same ? undefined : new StoreUnavailable('The database file was moved, replaced or deleted.')
    }
    if (problem !== undefined) throw problem
  }
}

/** Undefined where there is no file, or none that may be looked at. */
function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino
  } catch {
    return undefined
  }
}
