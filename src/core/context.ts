import type { Lookups } from '../../db/lookup.ts'
import type { Db } from '../../db/open.ts'
import type { Scope } from '../../db/scope.ts'
import type { IdKind } from '../domain/id.ts'
import type { Keys } from '../domain/keys.ts'
import type { Settings } from '../domain/settings.ts'
import type { Actor } from './actor.ts'
import type { Rehearsed } from './rehearse.ts'
import type { Verifier } from './verify.ts'

/** The face a call came through; `stdio` and `mcp` are the two transports of the MCP face. */
export type Via =
  | 'stdio'
  | 'mcp'
  | 'v1'
  | 'cli'
  | 'web'
  | 'gateway'
  | 'metorial'
  | 'enkrypt'
  | 'mctx'
  | 'gassapi'
  | 'oauth2'
  | 'forward_auth'

/** The client program as it calls itself; never believed, only recorded. */
export interface ClientName {
  name: string
  version: string
}

/** Who calls, from where, through what. A face builds one per request and holds no other identity. */
export interface Caller {
  actor: Actor
  via: Via
  ip: string | null
  client: ClientName | null
  request_id: string
}

/** One more thing to put into the trail beside the operation's own row, such as each token a deletion revoked. */
export interface Event {
  action: string
  target_id: string
  details?: Record<string, unknown>
}

/** What an operation is given. `now` is ISO 8601 UTC with milliseconds; writes get it under the audit head. */
export interface Context extends Omit<Caller, 'client'> {
  db: Db
  scope: Scope
  now: string
  /** Policy as it stands in this transaction; read only when an operation asks. */
  settings(): Promise<Settings>
  keys: Keys
  verifier: Verifier
  lookups: Lookups
  host: Host
  newId(kind: IdKind): string
  /** Reads the store as it is at one moment, beside everybody else; not inside of a transaction. */
  snapshot<T>(work: (db: Db) => Promise<T>): Promise<T>
  /** Runs another operation for the caller, for what `look` sees of it, and takes everything back; for reads only. */
  rehearse<Seen>(name: string, input: object, look: (ctx: Context) => Promise<Seen>): Promise<Rehearsed<Seen>>
  /** Adds a row to the trail in the same transaction. */
  record(event: Event): void
  /** Adds facts to the operation's own audit row; never a secret. */
  note(details: Record<string, unknown>): void
  /** As `note`, and the row says denied: the attempt stays on record, and `deliver` tells the caller of the refusal. */
  deny(details: Record<string, unknown>): void
}

/** What the process around the operations lends to deliveries. */
export interface Host {
  dataDir: string
  /** The address of a page that can reveal a one-time link, or null if none can be reached. */
  revealBase(): Promise<string | null>
}
