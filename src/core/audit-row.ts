import type { NewAuditRow } from '../../db/audit.ts'
import { secretPattern } from '../domain/secret.ts'
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
    actor_name: 'name' in actor ? clean(actor.name) : null,
    role: 'role' in actor ? actor.role : null,
    via: caller.via,
    ip: caller.ip,
    client_name: clean(client?.name),
    client_version: clean(client?.version),
    request_id: caller.request_id,
    action: trail.action,
    target_id: clean(trail.target_id),
    outcome: trail.outcome,
    details: withoutSecrets(JSON.stringify(trail.details)),
  }
}

function clean(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : sound(withoutSecrets(text).slice(0, 200))
}

/** Half characters and NUL read back changed, or not at all, and the chain over them would look tampered with (F12). */
function sound(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\ufffd')
}

/** A refused caller may have put a secret where an id or a name belongs. */
function withoutSecrets(text: string): string {
  return text.replace(secretPattern, '[secret]')
}
