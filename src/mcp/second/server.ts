import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type ClientCapabilities,
  type Implementation,
  type JSONRPCRequest,
  MissingRequiredClientCapabilityError,
  type Notification,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { principalOf } from '../../core/actor.ts'
import type { Caller, ClientName } from '../../core/context.ts'
import { GivenBack } from '../../core/errors.ts'
import { rpc } from '../../http/rpc.ts'
import { abilitiesOf } from '../abilities.ts'
import { protocolError } from '../refusals.ts'
import type { Ask, Json, Method, Surface, Turn } from '../surface.ts'
import { answersTo, asking, missingFor, noState, spelled } from './asking.ts'
import { openState, type State, sealState } from './state.ts'

/** The one revision of this era that we serve. */
export const revision = '2026-07-28'

export interface SecondBinding {
  /** Who sent this request; the name its client gave itself is added here. */
  callerOf(ctx: ServerContext): Caller
  clock(): number
}

/** Nothing is elicited by a request of ours in this era, so nothing is validated; the SDK would build a validator each time. */
const jsonSchemaValidator = {
  getValidator() {
    throw new Error('no request of ours in this era')
  },
}

/** A server of the second era over a surface; one per request over HTTP, one per connection on stdio (security R17). */
export function makeSecond(surface: Surface, binding: SecondBinding): Server {
  const { info, capabilities, instructions, methods } = surface
  const server = new Server(info, {
    capabilities,
    jsonSchemaValidator,
    supportedProtocolVersions: [revision],
    ...(instructions !== undefined && { instructions }),
  })
  if (methods.size === 0) return server
  // The SDK's typed handlers answer bad parameters with the text of their own exception, so ours are read here.
  server.fallbackRequestHandler = async (request: JSONRPCRequest, ctx: ServerContext) => {
    const method = methods.get(request.method)
    if (method === undefined) throw protocolError(rpc.method, 'Method not found')
    return answered(surface, binding, method, request, ctx)
  }
  return server
}

async function answered(
  surface: Surface,
  binding: SecondBinding,
  method: Method,
  request: JSONRPCRequest,
  ctx: ServerContext,
): Promise<Json> {
  const caller = { ...binding.callerOf(ctx), client: clientOf(ctx) }
  const { _meta, ...params } = request.params ?? {}
  const bound = { principal: principalOf(caller.actor), method: request.method, params }
  const now = binding.clock()
  const sent = ctx.mcpReq.requestState()
  const state = sent === undefined ? noState() : openState(await surface.stateKey(), String(sent), bound, now)
  if (state === undefined) throw protocolError(rpc.params, 'Invalid or expired requestState')
  try {
    return await method(turnOf(request, ctx, caller, state))
  } catch (error) {
    if (!(error instanceof GivenBack)) throw error
    const asks = error.asks as Record<string, Ask>
    const requestState = sealState(await surface.stateKey(), asking(state, asks), bound, now)
    return { resultType: 'input_required', inputRequests: spelled(asks), requestState }
  }
}

function turnOf(request: JSONRPCRequest, ctx: ServerContext, caller: Caller, state: State): Turn {
  const { mcpReq } = ctx
  const envelope = mcpReq.envelope as Json | undefined
  const abilities = abilitiesOf(envelope?.[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined)
  return {
    id: mcpReq.id,
    method: request.method,
    params: request.params ?? {},
    caller,
    abilities,
    nonce: state.nonce,
    signal: mcpReq.signal,
    notify: (method, params) => void mcpReq.notify({ method, params } as Notification).catch(() => undefined),
    async ask(asks) {
      const missing = missingFor(asks, abilities)
      if (missing !== undefined)
        throw new MissingRequiredClientCapabilityError({ requiredCapabilities: missing })
      return answersTo(asks, state, mcpReq.inputResponses ?? {})
    },
    subscriptions: undefined,
  }
}

/** The client program as it calls itself; it may say anything in every request. */
function clientOf({ mcpReq }: ServerContext): ClientName | null {
  const info = (mcpReq.envelope as Json | undefined)?.[CLIENT_INFO_META_KEY] as Implementation | undefined
  return info === undefined ? null : { name: info.name, version: info.version }
}
