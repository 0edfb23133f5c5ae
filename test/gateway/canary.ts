import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

export interface Canary {
  port: number
  /** How many connections came to it. */
  reached(): number
  close(): Promise<void>
}

/** A listener on loopback, of both families where there are two, that nobody should reach. */
export async function openCanary(): Promise<Canary> {
  let count = 0
  const sockets = new Set<Socket>()
  const listen = async (host: string, port: number) => {
    const server = createServer((socket) => {
      count += 1
      sockets.add(socket)
      socket.on('error', () => {})
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    }).listen(port, host)
    await once(server, 'listening')
    return server
  }
  const first = await listen('127.0.0.1', 0)
  const { port } = first.address() as { port: number }
  const second = await listen('::1', port).catch(() => undefined)
  return {
    port,
    reached: () => count,
    async close() {
      for (const socket of sockets) socket.destroy()
      first.close()
      second?.close()
    },
  }
}
