import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Conduit, UpstreamFault } from '../conduit.ts'
import type { Session } from './session.ts'
import type { Site } from './site.ts'

/** A conduit that can also let go of one request. */
export interface HttpConduit extends Conduit {
  /** Ends the request with this id without a word about it; does nothing once its answer stream is over. */
  abort(id: RequestId): void
}

/** What the requests of one conversation have in common. */
export interface Line {
  readonly site: Site
  readonly session: Session
  readonly timeoutMs: number
  /** The requests that have not been answered yet. */
  readonly waiting: Set<RequestId>
  /** What ends each exchange that is under way. */
  readonly running: Map<RequestId | object, () => void>
  /** Why the conversation is over, if it is. */
  over(): UpstreamFault | undefined
  hear(message: JSONRPCMessage, within?: RequestId): void
  /** Tells that a request gets no answer, unless it has one. */
  fail(id: RequestId, fault: UpstreamFault): void
  /** Ends the conversation if a refusal says that the upstream has; true if it does. */
  ended(status: number, text: string): boolean
}

const accepted = ['accept', 'application/json, text/event-stream', 'content-type', 'application/json']

/** The headers of a message that is posted. */
export function posted(session: Session, body: string): string[] {
  return accepted.concat('content-length', String(Buffer.byteLength(body)), session.headers())
}

const harmless =
  /^(?:initialize|ping|notifications\/.*|[a-z/]+\/(?:list|read|get|complete|setLevel|subscribe))$/

/** Whether it does no harm if a message arrives twice: all but what carries something out. */
export function isRepeatable(message: JSONRPCMessage): boolean {
  return !('method' in message) || harmless.test(message.method)
}
