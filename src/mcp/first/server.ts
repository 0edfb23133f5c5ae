import { randomUUID } from 'node:crypto'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import type { JSONRPCRequest, ServerNotification, ServerRequest } from '@modelcontextprotocol/sdk/types.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { z } from 'zod'
import type { Caller } from '../../core/context.ts'
import { rpc } from '../../http/rpc.ts'
import { abilitiesOf } from '../abilities.ts'
import { protocolError } from '../refusals.ts'
import type { Ask, Json, Surface, Turn } from '../surface.ts'

export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

interface Binding {
  /** Who sent this request; the name its client gave itself is added here. */
  callerOf(extra: Extra): Caller
  /** Addresses whose changes the session is told; absent without a session. */
  subscriptions?: Set<string> | undefined
}

// A server builds one of its own otherwise, which costs more than all the rest of it.
const jsonSchemaValidator = new AjvJsonSchemaValidator()

/** How long a person may take to answer a question, ms. */
const patience = 5 * 60_000

/** A server of the protocol's first era (up to 2025-11-25) over a surface; one per connection, session or lone request (security R17). */
export function makeFirst(surface: Surface, binding: Binding): Server {
  const { info, capabilities, instructions } = surface
  const server = new Server(info, {
    capabilities,
    jsonSchemaValidator,
    ...(instructions !== undefined && { instructions }),
  })
  // The SDK's typed handlers answer bad parameters with the text of their own exception, so ours are read here.
  server.fallbackRequestHandler = async ({ method, params = {} }: JSONRPCRequest, extra: Extra) => {
    const answer = surface.methods.get(method)
    if (answer === undefined) throw protocolError(rpc.method, 'Method not found')
    return answer(turnOf(server, binding, { method, params, extra }))
  }
  return server
}

interface Asked {
  method: string
  params: Json
  extra: Extra
}

function turnOf(server: Server, binding: Binding, { method, params, extra }: Asked): Turn {
  const client = server.getClientVersion()
  const abilities = abilitiesOf(server.getClientCapabilities())
  return {
    id: extra.requestId,
    method,
    params,
    caller: {
      ...binding.callerOf(extra),
      client: client === undefined ? null : { name: client.name, version: client.version },
    },
    abilities,
    nonce: randomUUID(),
    signal: extra.signal,
    notify: (told, facts) => void tell(extra, told, facts),
    ask: Object.keys(abilities).length === 0 ? undefined : (asks) => askEach(extra, asks),
    subscriptions: binding.subscriptions,
  }
}

async function tell(extra: Extra, method: string, params: Json): Promise<void> {
  // Whoever is not there any more is told nothing.
  await extra.sendNotification({ method, params } as ServerNotification).catch(() => undefined)
}

async function askEach(extra: Extra, asks: Record<string, Ask>): Promise<Record<string, Json>> {
  // Nobody hears the end of a call that was given up, or whose client has left, so nobody is asked on.
  const left = extra.authInfo?.extra?.['left']
  const signal = left instanceof AbortSignal ? AbortSignal.any([extra.signal, left]) : extra.signal
  const asking = Object.entries(asks).map(async ([key, ask]) => {
    const answer = await extra.sendRequest(ask as ServerRequest, anything, { timeout: patience, signal })
    return [key, answer] as const
  })
  return Object.fromEntries(await Promise.all(asking))
}

const anything = z.looseObject({})
