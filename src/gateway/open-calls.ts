import { AppError } from '../core/errors.ts'
import type { Gate, Visit } from './gate.ts'

/** Calls one credential may have open at a time in this process. */
const mostOpen = 200

/** Keeps a call counted until what it answers is called, once or more often. */
export type Hold = () => () => void

/**
 * Counts a call of a credential for as long as its client waits, and longer while it is held: who hangs up and calls again
 * would otherwise have any number running. Throws `rate_limited` where there are too many.
 */
export function enter({ open }: Gate, { response }: Visit, tokenId: string): Hold {
  const now = open.get(tokenId) ?? 0
  if (now >= mostOpen)
    throw new AppError('rate_limited', `One credential holds at most ${mostOpen} open calls.`, {
      retry_after: 1,
    })
  open.set(tokenId, now + 1)
  let holds = 0
  const hold: Hold = () => {
    let held = true
    holds += 1
    return () => {
      if (!held) return
      held = false
      holds -= 1
      if (holds === 0) leave(open, tokenId)
    }
  }
  const waited = hold()
  if (response.closed) waited()
  else response.once('close', waited)
  return hold
}

function leave(open: Gate['open'], tokenId: string): void {
  const left = (open.get(tokenId) ?? 1) - 1
  if (left > 0) open.set(tokenId, left)
  else open.delete(tokenId)
}
