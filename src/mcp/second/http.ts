import type { ServerResponse } from 'node:http'
import {
  createMcpHandler,
  type McpHttpHandler,
  type ServerEvent,
  type ServerEventBus,
} from '@modelcontextprotocol/server'
import { principalOf } from '../../core/actor.ts'
import type { Caller } from '../../core/context.ts'
import { AppError } from '../../core/errors.ts'
import { isRequest, type RpcRequest } from '../../http/messages.ts'
import type { HttpFace } from '../../http/types.ts'
import type { Surface } from '../surface.ts'
import { type Delivery, type EraRoutes, mostStreams, patience } from '../visit.ts'
import { authInfo, callerIn } from './caller.ts'
import { narrowed } from './narrowed.ts'
import { passOn } from './pass-on.ts'
import { makeSecond } from './server.ts'
import { isPlain, serveStraight } from './straight.ts'

/** The second era (2026-07-28) over HTTP: every request stands alone. */
export function secondRoutes({ core, log }: HttpFace, surface: Surface): EraRoutes {
  const binding = { callerOf: callerIn, clock: core.clock }
  const onerror = (error: Error) => log.debug({ error }, 'mcp request refused')
  const factory = () => makeSecond(surface, binding)
  // Without methods of ours the SDK says by its status which of the others it does not know.
  const none = () => makeSecond({ ...surface, methods: new Map() }, binding)
  const bare = createMcpHandler(none, { legacy: 'reject', onerror })
  const entry = createMcpHandler(factory, { legacy: 'reject', onerror })
  const listening = new Set<McpHttpHandler>()
  /** Whose each stream is, from before it is open until it has ended. */
  const places = new Map<ServerResponse, string>()
  const running = new Set<Promise<void>>()

  async function post(delivery: Delivery): Promise<void> {
    const done = served(delivery)
    running.add(done)
    await done.finally(() => running.delete(done))
  }

  function served(delivery: Delivery): Promise<void> {
    const { message, caller } = delivery
    if (isRequest(message) && message.method === 'subscriptions/listen') return listen(delivery, message)
    if (isPlain(surface, delivery)) return serveStraight(surface, binding, delivery)
    const known = 'method' in message && surface.methods.has(message.method)
    return passOn(known ? entry : bare, delivery, authInfo(caller))
  }

  /** A stream of changes of its own, to what the caller may see alone. */
  async function listen(delivery: Delivery, asked: RpcRequest): Promise<void> {
    const { caller, response } = delivery
    const principal = principalOf(caller.actor)
    if ([...places.values()].filter((one) => one === principal).length >= mostStreams)
      throw new AppError('rate_limited', `One credential holds at most ${mostStreams} standing streams.`)
    places.set(response, principal)
    try {
      await follow(delivery, asked)
    } finally {
      places.delete(response)
    }
  }

  async function follow(delivery: Delivery, asked: RpcRequest): Promise<void> {
    const { caller, response } = delivery
    const { uris, message } = await narrowed(surface, caller, asked)
    // Who has left in the meantime would never be seen to leave.
    if (response.destroyed) return
    const bus = busOf(surface, caller, new Set(uris))
    const own = createMcpHandler(factory, { legacy: 'reject', bus, onerror })
    listening.add(own)
    response.once('close', () => {
      listening.delete(own)
      void own.close()
    })
    await passOn(own, { ...delivery, message }, authInfo(caller))
  }

  return {
    post,
    async close() {
      await Promise.all([...listening].map((own) => own.close()))
      const late = new Promise((resolve) => setTimeout(resolve, patience).unref())
      await Promise.race([Promise.allSettled(running), late])
      await Promise.all([entry.close(), bare.close()])
    },
  }
}

function busOf(surface: Surface, caller: Caller, uris: ReadonlySet<string>): ServerEventBus {
  return {
    publish: () => undefined,
    subscribe(listener: (event: ServerEvent) => void) {
      const tell = (uri: string) => listener({ kind: 'resource_updated', uri })
      return (
        surface.watch?.(
          () => caller,
          (uri) => uris.has(uri),
          tell,
        ) ?? (() => undefined)
      )
    },
  }
}
