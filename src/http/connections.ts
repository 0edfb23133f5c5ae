import type { Server } from 'node:http'
import type { Socket } from 'node:net'

const drainTime = 5_000

/** Stops accepting, waits until running requests are answered, at most 5 s, then cuts off what is left. */
export function drained(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), 50)
    const late = setTimeout(() => server.closeAllConnections(), drainTime)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(late)
      resolve()
    })
    server.closeIdleConnections()
  })
}

/** Answers that are being written on a connection. */
export interface Open {
  answers: number
}

/**
 * Answers what the parser rejects and what is no request for us with 4xx, and closes (security R25). The caller counts
 * the answers it is writing on a connection in what it is given for it.
 */
export function refuseMalformed(server: Server): (socket: Socket) => Open {
  const known = new WeakMap<Socket, Open>()
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Behind an answer that is still being written, a second one would be taken for part of it.
    const isAnswering = (known.get(socket as Socket)?.answers ?? 0) > 0
    if (!socket.writable || error.code === 'ECONNRESET' || isAnswering) return socket.destroy()
    end(socket as Socket, statusOf(error.code))
  })
  server.on('connect', (_, socket) => end(socket as Socket, '405 Method Not Allowed'))
  return (socket) => {
    let open = known.get(socket)
    if (open === undefined) {
      open = { answers: 0 }
      known.set(socket, open)
    }
    return open
  }
}

function statusOf(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'
}

function end(socket: Socket, status: string): void {
  const body = JSON.stringify({ error: 'invalid_input', detail: 'This is not a valid HTTP request.' })
  const headers = ['connection: close', 'content-type: application/json', `content-length: ${body.length}`]
  socket.end(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}
