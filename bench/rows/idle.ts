import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from '../lib/context.ts'
import type { Line } from '../lib/line.ts'
import { openSession } from '../lib/mcp.ts'
import { startEverything } from '../lib/upstream.ts'

const sessions = 1_000

/** The memory of a gateway that holds a thousand sessions in which nothing happens. */
export const idle: Row = {
  number: 10,
  title: 'idle gateway sessions',
  async run(context) {
    const { own, subject } = context
    const upstream = own(await startEverything())
    const through = own(await subject.startGateway(context.dir('idle'), upstream.url))
    const url = `${through.url}${through.path}`
    // What a first session costs is there without a thousand.
    for (let warm = 0; warm < 20; warm += 1) await openSession(url, through.tokens[0] ?? '')
    await sleep(3_000)
    const before = residentOf(through.pid)
    const opened: Record<string, string>[] = []
    // A token has streams for a hundred sessions at most.
    const { tokens } = through
    for (let at = 0; at < sessions; at += tokens.length)
      opened.push(...(await Promise.all(tokens.map((token) => openSession(url, token)))))
    await sleep(3_000)
    const silent = residentOf(through.pid) - before
    const streams = await Promise.all(opened.map((headers) => listen(url, headers)))
    await sleep(3_000)
    const listening = residentOf(through.pid) - before
    for (const close of streams) close()
    return [line('without a stream', silent, 60), line('each with its stream open', listening)]
  },
}

function line(how: string, bytes: number, most?: number): Line {
  const megabytes = bytes / 1e6
  return {
    row: 10,
    work: `${sessions.toLocaleString('en')} idle sessions, ${how}, over none`,
    subject: `tokenwright +${megabytes.toFixed(1)} MB`,
    baseline: '',
    ratio: `${(bytes / sessions / 1e3).toFixed(1)} kB each`,
    spread: '',
    goal: most === undefined ? '' : `≤ ${most} MB`,
    met: most === undefined ? '' : megabytes <= most ? 'yes' : 'no',
  }
}

/** Resident memory of a process, bytes. */
function residentOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1_024
}

/** Opens a session's standing stream; answers how to close it. */
function listen(url: string, headers: Record<string, string>): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const request = get(
      url,
      { headers: { ...headers, accept: 'text/event-stream' }, agent: false },
      (response) => {
        response.resume()
        response.on('error', () => undefined)
        if (response.statusCode === 200) resolve(() => void request.destroy())
        else reject(new Error(`no stream: ${response.statusCode}`))
      },
    )
    request.on('error', reject)
  })
}
