import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../core/context.ts'
import type { Facts } from '../http/facts.ts'
import type { RpcMessage } from '../http/messages.ts'

/** One request to the endpoint, and who sent it. */
export interface Visit {
  request: IncomingMessage
  response: ServerResponse
  facts: Facts
  caller: Caller
}

/** A visit that brings a message (POST). */
export interface Delivery extends Visit {
  message: RpcMessage
}

/** One era of the protocol on the endpoint. */
export interface EraRoutes {
  post(delivery: Delivery): Promise<void>
  /** Lets calls in flight end, and answers those that take longer with an error. */
  close(): Promise<void>
}

/** Most standing streams of one credential in one era (security R26). */
export const mostStreams = 10

/** How long calls may take to end once the server closes, ms; less than the server itself has patience for. */
export const patience = 4_000
