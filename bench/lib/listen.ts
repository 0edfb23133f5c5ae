import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Listens on a free loopback port and answers the port. */
export function listen(handler: RequestListener): Promise<number> {
  const server = createServer({ keepAlive: true, keepAliveTimeout: 60_000 }, handler)
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

/** Reads a JSON body with no more than node:http, and hands it on. */
export function readJson(request: IncomingMessage, then: (body: Record<string, unknown>) => void): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => then(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>))
}

export function sendJson(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
