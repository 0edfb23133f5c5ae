import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { requestBytes, responseReader } from './bytes.ts'
import { cpuOf } from './cpu.ts'
import type { Load, LoadResult, Target } from './load.ts'
import { answer } from './protocol.ts'

const targets = new Map<string, { port: number; pid: number; expect: string; requests: Buffer[] }>()

answer({
  aim({ name, target }: { name: string; target: Target }) {
    const requests = target.bodies.map((body) => requestBytes(target, body))
    targets.set(name, { ...target, requests })
  },
  run,
})

/** Closed loop: each connection sends the next request when its answer is whole. */
async function run({ name, connections, warmupMs, durationMs, count }: Load): Promise<LoadResult> {
  const target = targets.get(name)
  if (target === undefined) throw new Error(`no target '${name}'`)
  const times: number[] = []
  let [sent, errors, firstError] = [0, 0, '']
  const from = performance.now() + warmupMs
  const until = from + durationMs
  let start = { own: 0, server: 0, at: Number.POSITIVE_INFINITY }
  const warm = setTimeout(() => {
    start = { own: cpuOf(process.pid), server: cpuOf(target.pid), at: performance.now() }
  }, warmupMs)

  function fail(why: string): void {
    errors += 1
    firstError ||= why
  }

  const one = () =>
    new Promise<void>((resolve) => {
      const socket = connect({ port: target.port, host: '127.0.0.1', noDelay: true })
      let [sentAt, over] = [0, false]
      const end = (why?: string) => {
        if (over) return
        over = true
        clearTimeout(deadline)
        if (why !== undefined) fail(why)
        socket.destroy()
        resolve()
      }
      const deadline = setTimeout(() => end('no answer'), warmupMs + durationMs + 5_000)
      const send = () => {
        sentAt = performance.now()
        if (sentAt > until || (count !== undefined && sent >= count)) return end()
        socket.write(target.requests[sent++ % target.requests.length] as Buffer)
      }
      socket.on('connect', send)
      socket.on('error', (error) => end(error.message))
      socket.on('close', () => end('connection closed by the server'))
      socket.on(
        'data',
        responseReader((status, body) => {
          const now = performance.now()
          if (status !== 200 || !body.includes(target.expect)) fail(`${status} ${body.slice(0, 200)}`)
          if (now >= start.at && now <= until) times.push(now - sentAt)
          send()
        }),
      )
    })

  await Promise.all(Array.from({ length: connections }, one))
  clearTimeout(warm)
  const ms = Math.min(performance.now(), until) - start.at
  const [own, server] = [cpuOf(process.pid) - start.own, cpuOf(target.pid) - start.server]
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  return {
    requests: times.length,
    errors,
    firstError,
    rate: (times.length / ms) * 1_000,
    p50: at(0.5),
    p99: at(0.99),
    cpuPerRequest: server / times.length / 1_000,
    serverBusy: server / ms / 1e6,
    loaderBusy: own / ms / 1e6,
  }
}
