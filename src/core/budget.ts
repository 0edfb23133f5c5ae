import * as audit from '../../db/audit.ts'
import type { Db } from '../../db/open.ts'
import type { Settings } from '../domain/settings.ts'
import { type Actor, actorId } from './actor.ts'
import { AppError } from './errors.ts'

/** What a caller may still destroy through MCP; counted in the trail, so it holds over sessions, processes and restarts. */
export interface Budget {
  limit: number
  /** In the last hour, or since a person lifted it last. */
  used: number
  /** When the earliest of them leaves the hour, ms. */
  freeAt: number
}

const hour = 3_600_000

/** The budget as it stands; undefined = there is none. */
export async function budgetOf(
  db: Db,
  { destructive_per_hour: limit }: Settings,
  actor: Actor,
  now: string,
): Promise<Budget | undefined> {
  const id = actorId(actor)
  if (limit === null || id === null) return undefined
  const after = new Date(Date.parse(now) - hour).toISOString()
  const rows = await audit.budgeted(db, { kind: actor.kind, id }, after, Math.max(limit, 1))
  const budget = { limit, used: 0, freeAt: Date.parse(now) + hour }
  for (const { at, details } of rows) {
    const { budgeted, lifted } = JSON.parse(details) as { budgeted: number; lifted?: boolean }
    budget.used += budgeted
    budget.freeAt = Date.parse(at) + hour
    if (lifted === true) break
  }
  return budget
}

/** Whether so many more are too many. */
export function exceeds(budget: Budget | undefined, weight: number): budget is Budget {
  return budget !== undefined && budget.used + weight > budget.limit
}

/** The refusal once it is used up, or would be. */
export function usedUp({ limit, used, freeAt }: Budget, weight: number, now: string): AppError {
  const rest = Math.max(0, limit - used)
  const what = weight === 1 ? 'This' : `This counts ${weight} and ${rest} are left; it`
  return new AppError(
    'rate_limited',
    `${what} would be more than ${limit} destructive operations in an hour; nothing was changed. Only a person can lift that: ask the operator, who may run "tokenwright settings set destructive_per_hour <n>".`,
    {
      reason: 'destructive_per_hour',
      retry_after: Math.max(1, Math.ceil((freeAt - Date.parse(now)) / 1_000)),
    },
  )
}
