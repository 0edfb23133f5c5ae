import type { IncomingMessage } from 'node:http'

/** What the server knows of a request, for the access log and the metrics. */
export interface Facts {
  requestId: string
  ip: string | null
  /** The route's template, never the URL (security R9). */
  route: string
  /** Id of the caller once it is known. */
  actor: string | null
}

const known = new WeakMap<IncomingMessage, Facts>()

/** Keeps the facts with the request. */
export function keepFacts(request: IncomingMessage, facts: Facts): void {
  known.set(request, facts)
}

/** The facts of a request of our server; undefined for any other. */
export function factsOf(request: IncomingMessage): Facts | undefined {
  return known.get(request)
}
