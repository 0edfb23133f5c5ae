import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { makeLog } from '../../src/log.ts'
import { type ServeOptions, serve } from '../../src/serve.ts'
import type { Database, Place } from '../support/databases.ts'
import type { Clock } from '../support/instance.ts'

export interface Answer {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  json: any
}

export interface Running {
  url: string
  port: number
  adminKey: string
  place: Place
  clock: Clock
  /** The lines the process logged. */
  log: string[]
  /** POSTs JSON to /v1/<name> with the admin key, or with another one; null = without a credential. */
  call(name: string, input?: unknown, key?: string | null, headers?: Record<string, string>): Promise<Answer>
  /** Any request; `path` below the server's address. */
  send(path: string, init?: RequestInit): Promise<Answer>
  /** Sends these bytes over a socket of its own and answers everything that came back until the end. */
  raw(bytes: string | Buffer): Promise<string>
  close(): Promise<void>
}

/** A real server on a free port and a fresh store, with a clock of its own. */
export async function openServing(database: Database, options: Partial<ServeOptions> = {}): Promise<Running> {
  const place = await database.fresh()
  const log: string[] = []
  const clock: Clock = {
    now: Date.now(),
    pass(ms) {
      clock.now += ms
    },
  }
  const served = await serve({
    instance: { dataDir: place.dataDir, location: place.location, clock: () => clock.now },
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    allowedOrigins: [],
    trustedProxies: [],
    metricsPublic: false,
    sessions: 'on',
    toolsets: ['tokens'],
    readOnly: false,
    version: '0.0.0-test',
    log: makeLog('debug', { write: (line) => log.push(line) }),
    ...options,
  })
  const port = Number(new URL(served.url).port)
  const adminKey = readFileSync(join(place.dataDir, 'admin.key'), 'utf8').trim()
  const send = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    const text = await response.text()
    const type = response.headers.get('content-type')
    const isJson = text !== '' && type?.startsWith('application/json') === true
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson && text !== '' ? JSON.parse(text) : undefined,
    }
  }
  return {
    url: served.url,
    port,
    adminKey,
    place,
    clock,
    log,
    send,
    call: (name, input = {}, key = adminKey, headers = {}) =>
      send(`/v1/${name}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...headers,
        },
        body: JSON.stringify(input),
      }),
    raw: (bytes) => exchange(port, bytes),
    async close() {
      await served.close()
      await place.remove()
    },
  }
}

/** Writes the bytes and reads until the server closes, or has been silent for a second. */
export function exchange(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let heard = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setTimeout(1_000, () => socket.destroy())
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(heard))
  })
}

/** The statuses of the answers in what a socket heard. */
export function statuses(heard: string): number[] {
  return [...heard.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
    .map(([, status]) => Number(status))
    .filter((status) => status !== 100)
}

/** A request as it goes over the wire, closed after its answer. */
export function wire(line: string, headers: string[], body = ''): string {
  const length = body === '' ? [] : [`content-length: ${Buffer.byteLength(body)}`]
  return `${[line, ...headers, ...length, 'connection: close'].join('\r\n')}\r\n\r\n${body}`
}
