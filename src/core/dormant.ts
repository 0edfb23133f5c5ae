import { setImmediate as turn } from 'node:timers/promises'
import * as dormant from '../../db/dormant.ts'
import * as settings from '../../db/settings.ts'
import { daysAfter } from '../domain/lifetime.ts'
import { policyOf } from '../domain/policy.ts'
import { auditRow } from './audit-row.ts'
import type { Core } from './invoke.ts'
import { policyFor, readPolicy } from './token-policy.ts'
import { transaction } from './transaction.ts'

/**
 * Every process stores its uses each minute, so that what lies this far back is known to all of them, ms: a token that
 * another process let in is not taken for dormant.
 */
const untold = 5 * 60_000

/** Few enough that a transaction takes milliseconds. */
const perTransaction = 100

interface Rule {
  project_id: string | null
  days: number
}

/** Switches off the tokens that nobody used for longer than their policy allows, each with its row in the trail. */
export async function disableDormant(core: Core): Promise<void> {
  for (const rule of await rulesOf(core)) {
    let after = ''
    for (;;) {
      const now = new Date(core.clock()).toISOString()
      const { ids, last } = await dormant.next(core.store.read, sleepers(rule, now), after, now)
      for (let at = 0; at < ids.length; at += perTransaction)
        await disable(core, rule, ids.slice(at, at + perTransaction))
      if (last === undefined) break
      after = last
      await turn()
    }
  }
}

/** The rule of the instance, and those of projects that are stricter. */
async function rulesOf({ store }: Core): Promise<Rule[]> {
  const instance = await settings.load(store.read)
  const rules: Rule[] = []
  if (instance.dormant_days !== null) rules.push({ project_id: null, days: instance.dormant_days })
  for (const { id, policy } of await dormant.policies(store.read)) {
    const { dormant_days: days } = policyOf(instance, readPolicy(policy))
    if (days !== null && days !== instance.dormant_days) rules.push({ project_id: id, days })
  }
  return rules
}

function sleepers({ project_id, days }: Rule, now: string): dormant.Sleepers {
  return { project_id, before: daysAfter(new Date(Date.parse(now) - untold).toISOString(), -days) }
}

async function disable({ store, keys, clock, uses }: Core, rule: Rule, found: string[]): Promise<void> {
  await transaction({ store, auditKey: keys.audit, clock }, async ({ db, now, append }) => {
    // Whoever changed the policy in between is obeyed.
    const policy = await policyFor({ db, settings: () => settings.load(db) }, rule.project_id)
    if (policy.dormant_days !== rule.days) return
    const unstored = uses.unstored()
    const ids = found.filter((id) => !unstored.has(id))
    const rows = await dormant.disable(db, ids, sleepers(rule, now), now)
    if (rows.length === 0) return
    await append(
      rows.map(({ id, project_id, last_used_at }) => {
        const details = { dormant_days: rule.days, last_used_at, project_id }
        return auditRow(
          system,
          { action: 'disable_dormant_token', outcome: 'ok', target_id: id, details },
          now,
        )
      }),
    )
  })
}

/** Who does what nobody asked for, as the trail names it. */
const system = {
  actor: { kind: 'local' as const, id: 'maintenance', role: 'admin' as const },
  via: 'cli' as const,
  ip: null,
  client: null,
  request_id: '',
}
