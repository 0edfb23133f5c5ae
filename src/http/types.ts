import type { HttpBindings } from '@hono/node-server'
import type { Core } from '../core/invoke.ts'
import type { Logger } from '../log.ts'
import type { FailureLimit } from './failures.ts'
import type { HttpLimits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import type { RequestLimit } from './requests.ts'

/** What every route of the HTTP server works with; `makeFace` builds one. */
export interface HttpFace {
  core: Core
  log: Logger
  limits: HttpLimits
  /** `name` or `name:port`, as given; the guard adds the port listened on. */
  allowedHosts: readonly string[]
  allowedOrigins: readonly string[]
  /** Addresses and CIDR ranges of proxies whose X-Forwarded-For counts. */
  trustedProxies: readonly string[]
  metricsPublic: boolean
  failures: FailureLimit
  requests: RequestLimit
  metrics: Metrics
}

/** The environment of all hono routes; the server sets the variables before any route runs. */
export type HttpEnv = {
  Bindings: HttpBindings
  Variables: {
    requestId: string
    /** The client's address in its one spelling; null if it cannot be known, which address-bound credentials do not pass. */
    ip: string | null
  }
}
