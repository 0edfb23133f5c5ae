import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import type { Caller } from '../../core/context.ts'
import type { Conversation, Send } from '../line.ts'
import type { Surface } from '../surface.ts'
import { makeWire } from '../wire.ts'
import { makeFirst } from './server.ts'

/** A conversation of the first era on one connection. */
export async function openFirst(surface: Surface, callerOf: () => Caller, send: Send): Promise<Conversation> {
  const line: Transport = {
    start: async () => undefined,
    send,
    close: async () => line.onclose?.(),
  }
  const wire = makeWire(line)
  const subscriptions = new Set<string>()
  const server = makeFirst(surface, { callerOf, subscriptions })
  await server.connect(wire)
  const unwatch = surface.watch?.(
    callerOf,
    (uri) => subscriptions.has(uri),
    (uri) => void server.sendResourceUpdated({ uri }).catch(() => undefined),
    () => subscriptions.size > 0,
  )
  return {
    wire,
    receive: (message) => line.onmessage?.(message as JSONRPCMessage),
    async close() {
      unwatch?.()
      await server.close()
    },
  }
}
