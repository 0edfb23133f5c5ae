import type { RpcMessage } from '../http/messages.ts'
import type { Wire } from './wire.ts'

/** One era's server on a stream of messages: what it says goes to `send`. */
export interface Conversation {
  wire: Wire
  receive(message: RpcMessage): void
  close(): Promise<void>
}

export type Send = (message: object) => Promise<void>
