import { makeFailureLimit } from './failures.ts'
import { defaultLimits } from './limits.ts'
import { countVerdicts, makeMetrics } from './metrics.ts'
import { makeRequestLimit } from './requests.ts'
import type { HttpFace } from './types.ts'

type Options = Pick<HttpFace, 'core' | 'log'> &
  Partial<Pick<HttpFace, 'limits' | 'allowedHosts' | 'allowedOrigins' | 'trustedProxies' | 'metricsPublic'>>

/** The parts that all HTTP routes of one server share. */
export function makeFace(options: Options): HttpFace {
  const { core, limits = defaultLimits } = options
  const metrics = makeMetrics()
  return {
    allowedHosts: [],
    allowedOrigins: [],
    trustedProxies: [],
    metricsPublic: false,
    ...options,
    core: { ...core, verifier: countVerdicts(core.verifier, metrics) },
    limits,
    failures: makeFailureLimit(limits.failuresPerMinute),
    requests: makeRequestLimit(limits.requestsPerSecond),
    metrics,
  }
}
