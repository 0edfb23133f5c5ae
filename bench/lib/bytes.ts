import type { Target } from './load.ts'

const headEnd = Buffer.from('\r\n\r\n')

/** One POST as the bytes on the wire. */
export function requestBytes({ port, path, headers }: Omit<Target, 'bodies'>, body: string): Buffer {
  const all = {
    host: `127.0.0.1:${port}`,
    'content-type': 'application/json',
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

/** Takes what arrives on a connection and tells of each whole response: its status and its body as text. */
export function responseReader(tell: (status: number, body: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const at = rest.indexOf(headEnd)
    if (at === -1) return
    const head = rest.toString('latin1', 0, at)
    const body = bodyOf(head, rest.subarray(at + 4))
    if (body === undefined) return
    rest = Buffer.alloc(0)
    tell(Number(head.slice(9, 12)), body)
  }
}

/** The whole body, or undefined while some of it is missing; there is no pipelining, so nothing follows it. */
function bodyOf(head: string, bytes: Buffer): string | undefined {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (length !== undefined) return bytes.length < Number(length) ? undefined : bytes.toString('latin1')
  if (/^transfer-encoding: *chunked/im.test(head)) return unchunked(bytes)
  return /^HTTP\/1\.1 (204|304)/.test(head) ? '' : undefined
}

function unchunked(bytes: Buffer): string | undefined {
  let text = ''
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    const end = lineEnd + 2 + size
    if (bytes.length < end + 2) return undefined
    if (size === 0) return text
    text += bytes.toString('latin1', lineEnd + 2, end)
    at = end + 2
  }
}
