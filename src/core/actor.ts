import type { Scope } from '../../db/scope.ts'
import { holds, type Permission, type Role } from './permissions.ts'

/** What all credentials kept in the store have in common once they are authenticated. */
interface Holder {
  id: string
  name: string
  project_id: string | null
  allowed_ips: readonly string[] | null
  expires_at: string | null
}

/** The owner at a terminal, or the parent of a stdio process: the same OS user, with the role fixed at start. */
export interface LocalActor {
  kind: 'local'
  id: string
  role: Role
}

export interface ManagementActor extends Holder {
  kind: 'management'
  role: Role
  /** The generation of the secret the caller came in with; absent = the first. */
  key_generation?: number
}

export interface TokenActor extends Holder {
  kind: 'access' | 'user_key'
  owner_id: string | null
  /** The generation of the secret the caller came in with; a self-rotation compares it. */
  generation: number
  /** The secret was replaced and lives in its grace: it reads its own token and nothing else. */
  predecessor: boolean
}

/** A person who signed in with e-mail and password for this one call. */
export interface UserActor {
  kind: 'user'
  id: string
  /** The e-mail. */
  name: string
  /** Stands for the password that was checked; once that is replaced, the sign-in is over. */
  proof: string
}

/** A service that tells of leaked secrets, known by the signature of what it sends; it may do nothing else. */
export interface ReporterActor {
  kind: 'reporter'
  id: string
}

export type Actor = { kind: 'nobody' } | ReporterActor | LocalActor | ManagementActor | TokenActor | UserActor

/** True if the actor's role or kind covers the permission. */
export function may(actor: Actor, permission: Permission): boolean {
  if (actor.kind === 'local' || actor.kind === 'management') return holds(actor.role, permission)
  if (actor.kind === 'user_key' && actor.predecessor) return false
  return holds(actor.kind, permission)
}

/** The rows that belong to the actor; a user key reaches its owner's tokens of its own project only. */
export function scopeOf(actor: Actor): Scope {
  switch (actor.kind) {
    case 'local':
    case 'nobody':
    case 'reporter':
      return {}
    case 'management':
      return actor.project_id === null ? {} : { project_id: actor.project_id }
    case 'access':
      return { token_id: actor.id }
    case 'user':
      return { owner_id: actor.id }
    case 'user_key':
      return actor.predecessor || actor.owner_id === null || actor.project_id === null
        ? { token_id: actor.id }
        : { owner_id: actor.owner_id, project_id: actor.project_id }
  }
}

/** The stable name of the caller in audit rows and idempotency records. */
export function actorId(actor: Actor): string | null {
  return actor.kind === 'nobody' ? null : actor.id
}

/** The caller as the owner of what it keeps here: sessions, streams, calls that were given back. */
export function principalOf(actor: Actor): string {
  return `${actor.kind} ${actorId(actor)}`
}

/** True if the caller is this token itself. */
export function isSelf(actor: Actor, tokenId: string): boolean {
  return (actor.kind === 'access' || actor.kind === 'user_key') && actor.id === tokenId
}
