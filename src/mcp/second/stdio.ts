import type { JSONRPCMessage, Server, Transport } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import type { Caller } from '../../core/context.ts'
import { isRequest, type RpcMessage, type RpcRequest } from '../../http/messages.ts'
import { internal, rpc, rpcError } from '../../http/rpc.ts'
import type { Conversation, Send } from '../line.ts'
import type { Surface } from '../surface.ts'
import { makeWire } from '../wire.ts'
import { narrowed } from './narrowed.ts'
import { makeSecond } from './server.ts'

/** A conversation of the second era on one connection. */
export async function openSecond(
  surface: Surface,
  callerOf: () => Caller,
  send: Send,
): Promise<Conversation> {
  const line: Transport = {
    start: async () => undefined,
    send,
    close: async () => line.onclose?.(),
  }
  const wire = makeWire(line as Parameters<typeof makeWire>[0])
  let server: Server | undefined
  let unwatch: (() => void) | undefined
  const factory = () => {
    server = makeSecond(surface, { callerOf, clock: Date.now })
    return server
  }
  const pass = (message: RpcMessage) => line.onmessage?.(message as JSONRPCMessage)

  /** Changes are followed once a client asks for them, from before it is told so. */
  async function listen(asked: RpcRequest): Promise<void> {
    // The SDK passes on to each subscription what it asked for and drops the rest.
    unwatch ??= surface.watch?.(
      callerOf,
      () => true,
      (uri) => void server?.sendResourceUpdated({ uri }).catch(() => undefined),
    )
    const { message } = await narrowed(surface, callerOf(), asked)
    pass(message)
  }

  const served = serveStdio(factory, { transport: wire as Transport, legacy: 'reject' })
  return {
    wire,
    receive(message) {
      if (isRequest(message) && message.method === 'subscriptions/listen')
        // What cannot be followed now is answered, since nobody waits for the rejection and it would end the process.
        void listen(message).catch(() => send(rpcError(rpc.internal, internal, message.id)))
      else pass(message)
    },
    async close() {
      unwatch?.()
      await served.close()
    },
  }
}
