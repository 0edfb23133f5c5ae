import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How the road to Tokenwright is. */
export type Condition =
  /** Everything gets through. */
  | 'open'
  /** Nothing is answered, ever. */
  | 'silent'
  /** The head of an answer comes, its body never ends. */
  | 'dripping'
  /** Connections are cut. */
  | 'cut'
  /** Whoever asks is sent to the same path of another server. */
  | 'redirecting'
  /** A text that is no JSON. */
  | 'babbling'
  /** JSON that says yes without saying to whom. */
  | 'nodding'
  /** A yes in more bytes than anybody should read. */
  | 'endless'

export interface Road {
  url: string
  condition: Condition
  /** Milliseconds each request waits first. */
  delay: number
  /** What came along, in order. */
  passed: { path: string; headers: IncomingMessage['headers']; body: string }[]
  /** Requests that followed a redirect. */
  followed: number
  /** Connections that were opened. */
  readonly connections: number
  /** Nobody listens any more. */
  end(): Promise<void>
  /** Somebody listens again, at the same address. */
  begin(): Promise<void>
  close(): Promise<void>
}

/** A road to a running Tokenwright that can get worse on the way; the server at its end is the real one. */
export async function openRoad(target: string): Promise<Road> {
  const elsewhere = await listening((_, response) => {
    road.followed += 1
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"active":true}')
  })
  const own = await listening(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    road.passed.push({ path: request.url ?? '', headers: request.headers, body })
    if (road.delay > 0) await new Promise((resolve) => setTimeout(resolve, road.delay))
    travel[road.condition](request, response, body)
  })
  const json = { 'content-type': 'application/json' }
  const travel: Record<
    Condition,
    (request: IncomingMessage, response: ServerResponse, body: string) => void
  > = {
    open(request, response, body) {
      const { host: _, connection: __, ...headers } = request.headers
      const { url = '', method = '' } = request
      const through = send(`${target}${url}`, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      })
      through.on('error', () => response.destroy())
      through.end(body)
    },
    silent: () => undefined,
    dripping: (_, response) => void response.writeHead(200, json).write('{"active":true,'),
    cut: (request) => request.socket.destroy(),
    redirecting: (request, response) =>
      void response.writeHead(307, { location: `${elsewhere.url}${request.url}` }).end(),
    babbling: (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>yes'),
    nodding: (_, response) => void response.writeHead(200, json).end('{"active":true}'),
    endless(_, response) {
      response.writeHead(200, json).write('{"active":true,"name":"')
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    },
  }
  const road: Road = {
    url: own.url,
    condition: 'open',
    delay: 0,
    passed: [],
    followed: 0,
    get connections() {
      return own.connections()
    },
    end: own.close,
    begin: own.open,
    close: async () => void (await Promise.all([own.close(), elsewhere.close()])),
  }
  return road
}

/** Any request listener on a free port. */
export async function listening(
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<{ url: string; connections(): number; open(): Promise<void>; close(): Promise<void> }> {
  let connections = 0
  const server = createServer((request, response) => void listener(request, response))
  server.on('connection', () => {
    connections += 1
  })
  const open = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await open(0)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => connections,
    open: () => open(port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
