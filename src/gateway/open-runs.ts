import type { Logger } from '../log.ts'
import { UpstreamFault } from './conduit.ts'
import { makeFence } from './fence.ts'
import { makeAgents } from './http/agents.ts'
import { openHttp } from './http/open.ts'
import type { OpenRuns } from './links.ts'

export interface UpstreamOptions {
  /** Hosts that may be asked although they are private or speak plain http. */
  allowed: readonly string[]
  /** How long a server may be silent during a call, ms. */
  timeout: number
  /** Programs may be started. */
  commands: boolean
  log: Logger
}

/** How servers are reached: by HTTP within the fence, or as programs of this machine. */
export function makeUpstreams({ allowed, timeout }: UpstreamOptions): {
  open: OpenRuns
  close(): Promise<void>
} {
  const fence = makeFence({ allowed })
  const agents = makeAgents()
  return {
    open(slug, runs) {
      if (runs.kind === 'address') return openHttp({ slug, ...runs }, { fence, agents, timeoutMs: timeout })
      return () => Promise.reject(new UpstreamFault('commands_off', 'no programs yet'))
    },
    async close() {
      agents.close()
    },
  }
}
