import { setImmediate } from 'node:timers/promises'
import type { Context } from './context.ts'
import { AppError } from './errors.ts'

/** Between two steps of long work: others get their turn, and so does whoever gives the call up; then nothing of it stays. */
export async function turn({ dialogue }: Pick<Context, 'dialogue'>): Promise<void> {
  await setImmediate()
  if (dialogue?.signal.aborted !== true) return
  throw new AppError('conflict', 'The call was cancelled; nothing was changed.', { reason: 'cancelled' })
}
