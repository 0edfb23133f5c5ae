import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Entry } from '../core/entries.ts'
import type { Presented } from '../core/still-good.ts'
import type { LimitState } from '../core/verify.ts'
import type { Facts } from '../http/facts.ts'
import type { Held, Sessions } from '../http/sessions.ts'
import type { HttpFace } from '../http/types.ts'
import type { Conversation } from './conversation.ts'
import type { Link } from './link.ts'
import type { Links } from './links.ts'

/** Which secret of a token was shown, and from where. */
export interface Shown {
  generation: number
  predecessor: boolean
  ip: string | null
}

/** A client's session at an endpoint of the gateway. */
export interface Session extends Held {
  /** The server it talks to; null = all in reach. */
  slug: string | null
  conversation: Conversation
  /** The revision of the protocol it has agreed on. */
  version?: unknown
  /** It has ended: what is opened for it now nobody would close. */
  over: boolean
  /** What its client said of itself. */
  params: Record<string, unknown>
  /** The links it has, by entry id. */
  links: Map<string, { entry: Entry; link: Promise<Link> }>
  /** The secret and the address it was last used with. */
  presented: Shown
  /** The same for its standing stream, which stays with whoever opened it. */
  listened: Shown | undefined
}

/** A call without a session that waits for its answer. */
export interface LoneCall {
  /** What it was let in with, and to which server. */
  presented: Presented
  /** When it began, ms. */
  since: number
  /** Answers it with a refusal. */
  end(): void
}

/** What all requests to the gateway share. */
export interface Gate {
  face: HttpFace
  links: Links
  sessions: Sessions<Session>
  sessionsOn: boolean
  lone: Set<LoneCall>
  /** How many calls each credential has open. */
  open: Map<string, number>
  version: string
}

/** One HTTP request to the gateway. */
export interface Visit {
  request: IncomingMessage
  response: ServerResponse
  facts: Facts
  /** The server in the path; null = all in reach. */
  slug: string | null
  /** Where the token stands against its own limits, once they were asked. */
  limit?: LimitState
}
