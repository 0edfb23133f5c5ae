import type { IncomingMessage } from 'node:http'
import { authorizations, type Credential, credentialIn } from './bearer.ts'
import { makeDecide } from './decide.ts'
import { type AuthInfo, authInfoOf, remember, type TokenIdentity } from './identity.ts'
import type { GuardOptions, RequestOptions } from './options.ts'
import { wired } from './refusals.ts'

/** What the guard sets: `new Hono<{ Variables: GuardVariables }>()` types `c.get('token')`. */
export interface GuardVariables {
  token: TokenIdentity
  /** For the transports of the MCP SDKs. */
  auth: AuthInfo
}

/** What is used of Hono's context; its own type would tie every application to one version of Hono. */
export interface GuardContext {
  env: unknown
  req: { header(name: string): string | undefined }
  set(key: string, value: unknown): void
  header(name: string, value?: string): void
}

/** For Hono: middleware. Who it is stands in `c.get('token')` and, for the MCP SDKs, in `c.get('auth')`. */
export function honoGuard<C extends GuardContext = GuardContext>(
  options: GuardOptions & RequestOptions<C>,
): (c: C, next: () => Promise<void>) => Promise<Response | undefined> {
  const { address = peerOf, tool = () => undefined, jsonrpc = false } = options
  const decide = makeDecide(options)
  return async (c, next) => {
    const credential = credentialOfContext(c)
    const decision = await decide(credential, async () => ({ ip: address(c), tool: await tool(c) }))
    if (!decision.allowed) {
      const { body, headers } = wired(decision, jsonrpc)
      return new Response(body, { status: decision.status, headers })
    }
    const { identity } = decision
    const variables: GuardVariables = { token: identity, auth: authInfoOf(credential.token ?? '', identity) }
    remember(identity, c)
    for (const [name, value] of Object.entries(variables)) c.set(name, value)
    await next()
    for (const [name, value] of Object.entries(decision.headers)) c.header(name, value)
    return undefined
  }
}

// Where Hono runs on Node its raw headers count; elsewhere several come as one text, which is no form of a credential.
function credentialOfContext(c: GuardContext): Credential {
  const raw = incomingOf(c)?.rawHeaders
  if (raw !== undefined) return credentialIn(authorizations(raw))
  const value = c.req.header('authorization')
  return credentialIn(value === undefined ? [] : [value])
}

function peerOf(c: GuardContext): string | undefined {
  return incomingOf(c)?.socket.remoteAddress
}

/** Node's own request, as @hono/node-server leaves it in the environment. */
function incomingOf({ env }: GuardContext): IncomingMessage | undefined {
  const bindings = env as { incoming?: IncomingMessage; server?: { incoming?: IncomingMessage } } | undefined
  return bindings?.incoming ?? bindings?.server?.incoming
}
