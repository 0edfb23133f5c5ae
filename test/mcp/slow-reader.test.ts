import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { McpHttpHandler } from '@modelcontextprotocol/server'
import { expect, it } from 'vitest'
import { passOn } from '../../src/mcp/second/pass-on.ts'
import type { Delivery } from '../../src/mcp/visit.ts'

it('R26: a stream of the second era whose client does not read ends, and gathers no more than 8 MiB before', async () => {
  const piece = new Uint8Array(64 * 1024)
  let queued = 0
  let isOver = false
  const endless = (signal: AbortSignal) =>
    new ReadableStream<Uint8Array>({
      async start(controller) {
        // As the SDK does, without a look at who reads.
        while (!signal.aborted && !isOver && queued < 512 * 1024 * 1024) {
          controller.enqueue(piece)
          queued += piece.length
          await new Promise((resolve) => setImmediate(resolve))
        }
      },
      cancel() {
        isOver = true
      },
    })
  const handler = {
    fetch: async ({ signal }: Request) =>
      new Response(endless(signal), { headers: { 'content-type': 'text/event-stream' } }),
  } as unknown as McpHttpHandler
  const server = createServer((request, response) => {
    const delivery = { request, response, message: {} } as unknown as Delivery
    void passOn(handler, delivery, { token: '', clientId: '', scopes: [] })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  const [request] = (await Promise.all([
    once(server, 'request'),
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'),
  ])) as unknown as [[unknown, { closed: boolean; once(name: string, done: () => void): void }]]
  const [, response] = request
  await new Promise<void>((resolve) => response.once('close', resolve))
  // What the sockets of both sides hold comes on top.
  expect(queued).toBeLessThan(32 * 1024 * 1024)
  socket.destroy()
  server.close()
}, 20_000)
