import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { UpstreamFault } from '../conduit.ts'

/** The connections to upstreams, kept open between requests. */
export interface Agents {
  http: HttpAgent
  https: HttpsAgent
  close(): void
}

export interface AgentOptions {
  /** Certificates to trust instead of those Node brings along. */
  ca?: string
  /** How long look-up, TCP and TLS may take together. */
  connectMs?: number
  /** How long a connection is kept without use; by default shorter than the 5 s after which many servers close one. */
  idleMs?: number
}

/** Makes the agents all conduits of a process share; one that does not come about in time is `unreachable`. */
export function makeAgents({ ca, connectMs = 5_000, idleMs = 4_000 }: AgentOptions = {}): Agents {
  const options = { keepAlive: true, scheduling: 'lifo', maxFreeSockets: 256, timeout: idleMs } as const
  const http = new HttpAgent(options)
  const https = new HttpsAgent({ ...options, ...(ca === undefined ? {} : { ca }) })
  limitConnecting(http, 'connect', connectMs)
  limitConnecting(https, 'secureConnect', connectMs)
  return {
    http,
    https,
    close() {
      http.destroy()
      https.destroy()
    },
  }
}

const established = new WeakSet<object>()

/** Whether a connection has come about, with TLS where that belongs to it; until then nothing is sent over it. */
export function isEstablished(socket: object | null): boolean {
  return socket !== null && established.has(socket)
}

function limitConnecting(agent: HttpAgent, done: 'connect' | 'secureConnect', ms: number): void {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback)
    const timer = setTimeout(() => socket?.destroy(tooSlow(ms)), ms)
    socket?.once(done, () => {
      clearTimeout(timer)
      established.add(socket)
    })
    socket?.once('close', () => clearTimeout(timer))
    return socket
  }
}

function tooSlow(ms: number): UpstreamFault {
  return new UpstreamFault('unreachable', `No connection came about within ${ms} ms.`)
}
