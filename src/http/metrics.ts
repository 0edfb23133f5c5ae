import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import type { Verifier } from '../core/verify.ts'

/** What the process counts for Prometheus; labels hold templates and codes only, never what a caller wrote. */
export interface Metrics {
  request(route: string, status: number): void
  verdict(verdict: string): void
  /** `seconds` one operation took, from input to answer. */
  operation(name: string, seconds: number): void
  /** The exposition, and its content type. */
  text(): Promise<{ type: string; body: string }>
}

/** A registry of its own per server, so that two servers in one process do not mix. */
export function makeMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const requests = new Counter({
    name: 'tokenwright_http_requests_total',
    help: 'HTTP requests by route template and status.',
    labelNames: ['route', 'status'],
    registers,
  })
  const verdicts = new Counter({
    name: 'tokenwright_verdicts_total',
    help: 'Secrets judged, by verdict.',
    labelNames: ['verdict'],
    registers,
  })
  const durations = new Histogram({
    name: 'tokenwright_operation_seconds',
    help: 'Time of an operation from its input to its answer.',
    labelNames: ['operation'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
    registers,
  })
  const request = remembered((key) => {
    const [route = '', status = ''] = key.split('\n')
    return requests.labels(route, status)
  })
  const verdict = remembered((key) => verdicts.labels(key))
  const operation = remembered((key) => durations.labels(key))
  return {
    request: (route, status) => request(`${route}\n${status}`).inc(),
    verdict: (name) => verdict(name).inc(),
    operation: (name, seconds) => operation(name).observe(seconds),
    text: async () => ({ type: registry.contentType, body: await registry.metrics() }),
  }
}

/** The same verifier, its verdicts counted. */
export function countVerdicts(verifier: Verifier, metrics: Metrics): Verifier {
  return {
    ...verifier,
    async verify(secret, request, options) {
      const verified = await verifier.verify(secret, request, options)
      metrics.verdict(verified.verdict)
      return verified
    },
  }
}

/** Finding a labelled series by hashing costs more than counting, so each is looked up once. */
function remembered<T>(make: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>()
  return (key) => {
    let found = known.get(key)
    if (found === undefined) {
      found = make(key)
      known.set(key, found)
    }
    return found
  }
}
