import { isIP } from 'node:net'
import { makeAsk, whyNot } from './ask.ts'
import type { Credential } from './bearer.ts'
import { GuardError } from './fault.ts'
import { identityFrom, type TokenIdentity } from './identity.ts'
import { limitHeaders } from './limit-headers.ts'
import { remembering } from './memory.ts'
import { type GuardOptions, settle, type Tool } from './options.ts'
import { makePost } from './post.ts'
import { type Refused, refusals } from './refusals.ts'
import type { Verdict } from './told.ts'

/** The token may. */
export interface Allowed {
  allowed: true
  identity: TokenIdentity
  /** RateLimit headers for the answer, where the token is limited. */
  headers: Record<string, string>
}

export type Decision = Allowed | Refused

/** What is asked beside the token. */
export interface Asked {
  tool?: Tool
  /** The address the token is used from. One that is not known is an address on no list. */
  ip?: string | undefined
}

/** Never throws: what cannot be decided is refused. */
export type Decide = (credential: Credential, asked: () => Asked | Promise<Asked>) => Promise<Decision>

/** Nobody's address: a token bound to addresses is refused from it, every other is not. */
const nowhere = '::'
const longestTool = 200
/** Control characters, and halves of characters. */
const unaskable = /[\p{Cc}\p{Surrogate}]/u

/** The one way every guard comes to its decision. */
export function makeDecide(options: GuardOptions): Decide {
  const settled = settle(options)
  const { server, cacheMs, onError } = settled
  const post = makePost(settled)
  const ask = cacheMs === 0 ? makeAsk(post) : remembering(makeAsk(post), cacheMs)

  async function decided(token: string, { tool, ip }: Asked): Promise<Decision> {
    const named = nameOf(tool)
    const question = { token, server, ip: addressOf(ip), ...(named === undefined ? {} : { tool: named }) }
    const told = await ask(question)
    if (!told.active) return refusalOf(await whyNot(post, question))
    // Only now, because nobody but the holder of a good token is told what it may not do.
    if (tool !== undefined && named === undefined) return refusals.forbidden('tool')
    return { allowed: true, identity: identityFrom(told), headers: limitHeaders(told.limit) }
  }

  return async ({ token, sent }, asked) => {
    if (token === undefined) return refusals.unauthenticated(sent)
    try {
      return await decided(token, await asked())
    } catch (error) {
      report(onError, error)
      return refusals.unavailable(error instanceof GuardError ? error.retryAfter : undefined)
    }
  }
}

/** A tool that can be asked for. */
function nameOf(tool: Tool): string | undefined {
  if (typeof tool !== 'string' || tool === '' || tool.length > longestTool) return undefined
  return unaskable.test(tool) ? undefined : tool
}

function addressOf(ip: string | undefined): string {
  return ip === undefined || isIP(ip) === 0 || ip.includes('%') ? nowhere : ip
}

function refusalOf({ verdict, limit }: Verdict): Refused {
  switch (verdict) {
    case 'ip_not_allowed':
      return refusals.ipNotAllowed()
    case 'server_not_in_scope':
      return refusals.forbidden('server')
    case 'tool_not_in_scope':
      return refusals.forbidden('tool')
    case 'limit_reached':
      return refusals.limited(limit)
    case 'valid':
      // It has become good between two questions; a request whose owner is not known stays out.
      return refusals.unavailable(1)
    default:
      return refusals.unauthenticated(true)
  }
}

// Whatever a callback of the author does, the request stays refused.
function report(onError: (error: Error) => void, error: unknown): void {
  try {
    onError(error instanceof Error ? error : new Error('A callback of the guard failed.', { cause: error }))
  } catch {}
}
