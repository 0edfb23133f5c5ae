import { inheritedEnvironment } from '../config.ts'
import type { Logger } from '../log.ts'
import { makeFence } from './fence.ts'
import { makeAgents } from './http/agents.ts'
import { openHttp } from './http/open.ts'
import type { OpenRuns } from './links.ts'
import { makePrograms } from './program/programs.ts'

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
export function makeUpstreams({ allowed, timeout, commands, log }: UpstreamOptions): {
  open: OpenRuns
  close(): Promise<void>
} {
  const fence = makeFence({ allowed })
  const agents = makeAgents()
  const programs = makePrograms({ log, allowed: commands, inherited: inheritedEnvironment() })
  return {
    open(slug, runs) {
      if (runs.kind === 'address') return openHttp({ slug, ...runs }, { fence, agents, timeoutMs: timeout })
      return programs.open(slug, runs)
    },
    async close() {
      agents.close()
      await programs.close()
    },
  }
}
