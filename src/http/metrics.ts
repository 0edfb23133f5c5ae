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

/**
 * A registry of its own per server, so that two servers in one process do not mix. What is counted is told to it when it is
 * read: it looks its series up by their labels, which costs more than the counting.
 */
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
  const statuses = new Map<string, Map<number, number>>()
  const judged = new Map<string, number>()
  const timed = new Map<string, number[]>()

  function tellTimes(name: string, seconds: number[]): void {
    const series = durations.labels(name)
    for (const one of seconds.splice(0)) series.observe(one)
  }

  return {
    request: (route, status) =>
      count(
        entryOf(statuses, route, () => new Map()),
        status,
      ),
    verdict: (name) => count(judged, name),
    operation(name, seconds) {
      const some = entryOf(timed, name, () => [])
      some.push(seconds)
      if (some.length >= mostUntold) tellTimes(name, some)
    },
    async text() {
      for (const [route, counts] of statuses)
        for (const [status, times] of counts) requests.labels(route, String(status)).inc(times)
      for (const [verdict, times] of judged) verdicts.labels(verdict).inc(times)
      for (const [name, seconds] of timed) tellTimes(name, seconds)
      statuses.clear()
      judged.clear()
      return { type: registry.contentType, body: await registry.metrics() }
    },
  }
}

/** Durations kept at most before they are put into their buckets. */
const mostUntold = 1_000

/** The same verifier, its verdicts counted. */
export function countVerdicts(verifier: Verifier, metrics: Metrics): Verifier {
  return {
    ...verifier,
    verify: (secret, request, options) =>
      verifier.verify(secret, request, options).then((verified) => {
        metrics.verdict(verified.verdict)
        return verified
      }),
  }
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function entryOf<Key, Value>(entries: Map<Key, Value>, key: Key, make: () => Value): Value {
  let found = entries.get(key)
  if (found === undefined) {
    found = make()
    entries.set(key, found)
  }
  return found
}
