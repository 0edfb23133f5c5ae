import type { JSONRPCRequest } from '@modelcontextprotocol/sdk/types.js'
import type { Fence } from '../../http/fence.ts'
import type { Hears, OpenConduit } from '../conduit.ts'
import { UpstreamFault } from '../conduit.ts'
import type { Agents } from './agents.ts'
import { openLegacy } from './legacy.ts'
import type { HttpConduit } from './line.ts'
import { makeSite, type Site } from './site.ts'
import { makeStreamable } from './streamable.ts'

/** A server that is asked over HTTP. */
export interface HttpTarget {
  slug: string
  url: string
  /** The stored headers, in clear. */
  headers: Readonly<Record<string, string>>
}

export interface HttpOptions {
  fence: Fence
  agents: Agents
  /** How long an upstream may be silent while something is asked of it. */
  timeoutMs: number
}

/**
 * Opens conversations with a server over HTTP. What a request comes to is told by `Hears` alone, and `send` rejects only
 * for messages that get no answer, and once the conversation is over.
 */
export function openHttp({ url, headers }: HttpTarget, { fence, agents, timeoutMs }: HttpOptions) {
  const open = async (hears: Hears): Promise<HttpConduit> => {
    if (!URL.canParse(url)) throw new UpstreamFault('not_configured', 'Its address is no URL.')
    const place = new URL(url)
    return withFallBack(makeSite(place, headers, fence.check(place), agents), timeoutMs, hears)
  }
  return open satisfies OpenConduit
}

/** Tries streamable HTTP, and then what came before it (MCP 2025-06-18, transports, backwards compatibility). */
function withFallBack(site: Site, timeoutMs: number, hears: Hears): HttpConduit {
  let closed = false
  const fallBack = async (initialize: JSONRPCRequest, refused: UpstreamFault) => {
    try {
      const older = await openLegacy(site, timeoutMs, hears)
      if (closed) return await older.close()
      now = older
      await older.send(initialize)
    } catch (fault) {
      // What the first try came to says more, unless the second one got as far as the fence.
      const why = fault instanceof UpstreamFault && fault.problem === 'fenced' ? fault : refused
      if (!closed) hears.failed(initialize.id, why)
    }
  }
  let now: HttpConduit = makeStreamable(
    site,
    { timeoutMs, fallBack: (...first) => void fallBack(...first) },
    hears,
  )
  return {
    send: (message) => now.send(message),
    listen: () => now.listen(),
    abort: (id) => now.abort(id),
    close() {
      closed = true
      return now.close()
    },
  }
}
