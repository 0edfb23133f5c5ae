import type { OpenConduit } from '../conduit.ts'
import { UpstreamFault } from '../conduit.ts'
import type { Fence } from '../fence.ts'
import type { Agents } from './agents.ts'
import { makeSite } from './site.ts'
import { type HttpConduit, makeStreamable } from './streamable.ts'

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

/** Opens conversations with a server over HTTP; a request of `send` that fails is told by `failed` alone. */
export function openHttp(target: HttpTarget, options: HttpOptions) {
  const open = async (hears: Parameters<OpenConduit>[0]): Promise<HttpConduit> => {
    if (!URL.canParse(target.url)) throw new UpstreamFault('not_configured', 'Its address is no URL.')
    const url = new URL(target.url)
    const site = makeSite(url, target.headers, options.fence.check(url), options.agents)
    return makeStreamable(
      site,
      { timeoutMs: options.timeoutMs, fallBack: ({ id }, fault) => hears.failed(id, fault) },
      hears,
    )
  }
  return open satisfies OpenConduit
}
