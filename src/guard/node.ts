import type { IncomingMessage, ServerResponse } from 'node:http'
import { authorizations, credentialIn } from './bearer.ts'
import { makeDecide } from './decide.ts'
import { type AuthInfo, authInfoOf, remember } from './identity.ts'
import type { GuardOptions, RequestOptions } from './options.ts'
import { wired } from './refusals.ts'

/** A request that was let in; the transports of the MCP SDKs hand `auth` on to tools. */
export interface Admitted {
  auth: AuthInfo
}

type Handler<R, S> = (request: R & Admitted, response: S) => unknown

/**
 * For `node:http`: wraps a request listener, which is then called for requests with a good token only. An error of the
 * listener is its own affair, as without a guard.
 */
export function nodeGuard<R extends IncomingMessage = IncomingMessage>(
  options: GuardOptions & RequestOptions<R>,
): <S extends ServerResponse>(handler: Handler<R, S>) => (request: R, response: S) => Promise<void> {
  const admit = makeAdmit(options)
  return (handler) => async (request, response) => {
    if (await admit(request, response)) await handler(request as R & Admitted, response)
  }
}

/** For Express and Connect: middleware. Who it is stands in `identityOf(request)` and, for the MCP SDKs, in `request.auth`. */
export function expressGuard<R extends IncomingMessage = IncomingMessage>(
  options: GuardOptions & RequestOptions<R>,
): (request: R, response: ServerResponse, next: (error?: unknown) => void) => void {
  const admit = makeAdmit(options)
  return (request, response, next) => {
    admit(request, response).then((admitted) => {
      if (admitted) next()
    }, next)
  }
}

/** Lets a request in, or answers it and says false. */
function makeAdmit<R extends IncomingMessage>(
  options: GuardOptions & RequestOptions<R>,
): (request: R, response: ServerResponse) => Promise<boolean> {
  const { address = peerOf, tool = () => undefined, jsonrpc = false } = options
  const decide = makeDecide(options)
  return async (request, response) => {
    const credential = credentialIn(authorizations(request.rawHeaders))
    const decision = await decide(credential, async () => ({
      ip: address(request),
      tool: await tool(request),
    }))
    // The caller left, or somebody has answered meanwhile.
    if (response.destroyed || response.headersSent) return false
    if (decision.allowed) {
      const auth = authInfoOf(credential.token ?? '', decision.identity)
      remember(decision.identity, request)
      Object.assign(request, { auth })
      for (const [name, value] of Object.entries(decision.headers)) response.setHeader(name, value)
      return true
    }
    const { body, headers } = wired(decision, jsonrpc)
    response.writeHead(decision.status, { ...headers, 'content-length': Buffer.byteLength(body) })
    response.end(body)
    return false
  }
}

function peerOf({ socket }: IncomingMessage): string | undefined {
  return socket.remoteAddress
}
