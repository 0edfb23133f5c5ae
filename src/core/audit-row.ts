import type { NewAuditRow } from '../../db/audit.ts'
import { actorId } from './actor.ts'
import type { Caller } from './context.ts'

/** What happened, before the caller's part of the row is put to it. */
export interface Trail {
  action: string
  outcome: 'ok' | 'denied'
  target_id: string | null
  details: Record<string, unknown>
}

/** A row of the trail: who, through what, did which to what (security R40). */
export function auditRow(caller: Caller, trail: Trail, at: string): NewAuditRow {
  const { actor, client } = caller
  return {
    at,
    actor_kind: actor.kind,
    actor_id: actorId(actor),
    actor_name: 'name' in actor ? actor.name : null,
    role: 'role' in actor ? actor.role : null,
    via: caller.via,
    ip: caller.ip,
    client_name: client?.name.slice(0, 200) ?? null,
    client_version: client?.version.slice(0, 200) ?? null,
    request_id: caller.request_id,
    action: trail.action,
    target_id: trail.target_id?.slice(0, 200) ?? null,
    outcome: trail.outcome,
    details: JSON.stringify(trail.details),
  }
}
