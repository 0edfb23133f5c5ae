import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http'

/** On every answer of ours: never sniffed, never kept (security R10, R32). */
export const fixedHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** An answer in the words of a family of routes. */
export interface Answer {
  status: number
  body: object
  headers: Record<string, string>
}

/** The path of a request as it was sent, without its query, and without the host a request line may name. */
export function pathOf({ url = '' }: IncomingMessage): string {
  const at = url.indexOf('?')
  const target = at === -1 ? url : url.slice(0, at)
  return target.startsWith('http://') ? target.replace(/^http:\/\/[^/]*/, '') || '/' : target
}

/** Answers with JSON on Node's own response. */
export function answerJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return
  const text = JSON.stringify(body)
  leaveBody(request)
  const length = Buffer.byteLength(text)
  response.writeHead(status, lines(headers, ['content-type', 'application/json', 'content-length', length]))
  response.end(text)
}

/** Answers without a body. */
export function answerEmpty(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return
  leaveBody(request)
  response.writeHead(status, lines(headers, ['content-length', 0]))
  response.end()
}

/** Headers as Node writes them without looking for names that repeat. */
function lines(headers: Record<string, string>, first: OutgoingHttpHeader[]): OutgoingHttpHeader[] {
  const all = first.concat(always)
  for (const name in headers) all.push(name, headers[name] ?? '')
  return all
}

const always = Object.entries(fixedHeaders).flat()

const mostLeft = 512 * 1024
const patience = 500

/**
 * Looks after a body nobody will read: what is on its way is dropped, so that the caller sees the answer, but
 * no more than 512 KiB and no longer than half a second (security R24); then the connection ends.
 */
export function leaveBody(request: IncomingMessage): void {
  const { headers } = request
  const none = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
  if (none || request.complete || request.destroyed) return
  let seen = 0
  const timer = setTimeout(() => request.socket.destroySoon(), patience)
  timer.unref()
  request.on('data', (chunk: Buffer) => {
    seen += chunk.length
    if (seen > mostLeft) request.pause()
  })
  const over = () => clearTimeout(timer)
  request.on('end', over).on('close', over).on('error', over)
  request.resume()
}
