import * as lint from '../../db/lint.ts'
import { type Finding, findingsOf } from '../domain/hygiene.ts'
import type { Policy } from '../domain/settings.ts'
import type { Context } from './context.ts'
import { boundsOf, policyFor } from './token-policy.ts'

/** A token and what is wrong with it. */
export interface Linted {
  row: lint.LintRow
  policy: Policy
  findings: Finding[]
}

/** Looks at rows in the light of their policies; asks once for each project and each owner among them. */
export async function linted(ctx: Context, rows: readonly lint.LintRow[]): Promise<Linted[]> {
  const alive = rows.filter(({ revoked_at }) => revoked_at === null)
  const twice = await lint.namedTwice(
    ctx.db,
    ctx.scope,
    alive.map(({ id }) => id),
    ctx.now,
  )
  const policies = remembered((project: string | null) => policyFor(ctx, project))
  const bounds = remembered((project: string | null) => boundsOf(ctx, project))
  const kept = remembered((key: string) => {
    const [owner, project, most] = JSON.parse(key) as [string, string | null, number]
    return lint.needed(ctx.db, owner, project, ctx.now, most)
  })
  const found: Linted[] = []
  for (const row of alive) {
    let beyond: number | null = null
    for (const { most, project_id } of row.owner_id === null ? [] : await bounds(row.project_id))
      if (!(await kept(JSON.stringify([row.owner_id, project_id, most]))).has(row.id)) beyond ??= most
    const policy = await policies(row.project_id)
    const facts = {
      ...row,
      enabled: row.enabled === 1,
      all_servers: row.all_servers === 1,
      owner_active: row.owner_active === 1,
      same_name: twice.has(row.id),
      beyond,
    }
    found.push({ row, policy, findings: findingsOf(facts, policy, ctx.now) })
  }
  return found
}

/** Asks once for each key. */
function remembered<Key, Value>(ask: (key: Key) => Promise<Value>): (key: Key) => Promise<Value> {
  const known = new Map<Key, Promise<Value>>()
  return (key) => {
    const value = known.get(key) ?? ask(key)
    known.set(key, value)
    return value
  }
}
