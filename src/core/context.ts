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
  | 'leaks'

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
  /** Ways to talk with whoever called; absent where the face has none. */
  dialogue?: Dialogue
}

/** What an MCP client lends an operation beside its arguments. */
export interface Dialogue {
  /** The same each time a call that was given back comes again, and never that of another call: what a question names is built from it. */
  nonce: string
  /** The call was given up; work in many steps stops before the next one. */
  signal: AbortSignal
  /** Tells how much of the work is done. */
  progress(done: number, total: number): void
  /**
   * Asks the person behind the client to fill in a form, never for a secret; absent where the client cannot. The call may be
   * given back and made again with the answer, so it is asked in `prepare`, before anything is changed.
   */
  fill?(question: Question): Promise<Reply>
  /** Asks the person to open an address of ours; absent where the client cannot. */
  visit?(question: Omit<Question, 'schema'> & { url: string }): Promise<Reply>
}

/** A question to a person; `key` tells it from other questions of the call. */
export interface Question {
  key: string
  message: string
  /** JSON Schema of a flat object, as the protocol allows in elicitations. */
  schema: object
}

/** What the person said; `content` is as unchecked as any input. */
export interface Reply {
  action: 'accept' | 'decline' | 'cancel'
  content: Record<string, unknown>
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
  /** Tells the log of something the operator should look at; never with a secret. */
  warn(message: string, facts: Record<string, unknown>): void
}
