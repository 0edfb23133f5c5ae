import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcp, type Server, type Socket } from 'node:net'

/** One request as an upstream of the test saw it. */
export interface Seen {
  method: string
  headers: IncomingMessage['headers']
  raw: string[]
  body: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  message: any
}

export interface Upstream {
  url: string
  port: number
  seen: Seen[]
  server: Server
  close(): Promise<void>
}

type Answer = (seen: Seen, response: ServerResponse, request: IncomingMessage) => unknown

async function listening(server: Server, seen: Seen[], sockets: Set<Socket>): Promise<Upstream> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    seen,
    server,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      if (server.listening) await once(server, 'close')
    },
  }
}

/** A real HTTP server that answers as a test wants; it keeps what it was asked. */
export function startUpstream(answer: Answer): Promise<Upstream> {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    response.on('error', () => {})
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    const one: Seen = {
      method: request.method ?? '',
      headers: request.headers,
      raw: request.rawHeaders,
      body,
      message: body === '' ? undefined : JSON.parse(body),
    }
    seen.push(one)
    await answer(one, response, request)
  })
  return listening(server, seen, new Set())
}

/** A TCP server that says what it likes, once something came. */
export function startRaw(say: (socket: Socket, came: string) => unknown): Promise<Upstream> {
  const server = createTcp(
    (socket) => void socket.once('data', (data) => say(socket, data.toString('latin1'))),
  )
  return listening(server, [], new Set())
}

export const result = (id: unknown, value: object = {}) => ({ jsonrpc: '2.0', id, result: value })

/** Answers with a JSON body. */
export function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
) {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Begins an event stream. */
export function stream(response: ServerResponse) {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
}

/** An event with a message. */
export function event(message: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${JSON.stringify(message)}\n\n`
}

/** Does what every server of the protocol does: answers `initialize` with a session, accepts what needs no answer. */
export function usual(then: Answer, session: string | null = 'session-1'): Answer {
  return (seen, response, request) => {
    if (seen.method === 'DELETE') return response.writeHead(200).end()
    if (seen.method === 'GET') return then(seen, response, request)
    if (seen.message.method === 'initialize')
      return json(
        response,
        result(seen.message.id, {
          protocolVersion: '2025-06-18',
          capabilities: {},
          serverInfo: { name: 'u', version: '1' },
        }),
        200,
        session === null ? {} : { 'mcp-session-id': session },
      )
    if (seen.message.id === undefined || seen.message.method === undefined)
      return response.writeHead(202).end()
    return then(seen, response, request)
  }
}
