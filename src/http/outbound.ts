import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { AppError } from '../core/errors.ts'
import { type Fence, makeFence } from './fence.ts'

/** What came back from a request of ours; the body is bounded. */
export interface Fetched {
  status: number
  etag: string | undefined
  body: Buffer
}

export interface FetchOptions {
  fence: Fence
  headers?: Record<string, string>
  /** Most bytes of the body. */
  limit: number
  /** For everything together, ms. */
  timeout: number
}

/** The fence around our own requests; what does not pass is `unavailable`. */
export function ownFence(allowed: readonly string[]): Fence {
  return makeFence({ allowed, fault: (_, message) => failed(message) })
}

/** One GET through the fence (security R36); a redirect is not followed. Rejects with `unavailable`. */
export function fetchOnce(url: URL, { fence, headers = {}, limit, timeout }: FetchOptions): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const ask = url.protocol === 'https:' ? httpsRequest : httpRequest
    const lookup = fence.check(url)
    const signal = AbortSignal.timeout(timeout)
    const request = ask(url, {
      lookup,
      signal,
      agent: false,
      headers: { 'user-agent': 'tokenwright', ...headers },
    })
    const fail = (cause: unknown) =>
      reject(cause instanceof AppError ? cause : failed('It cannot be reached.', cause))
    request.on('error', fail)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('error', fail)
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        chunks.push(chunk)
        if (size > limit) request.destroy(failed('It answered more than it may.'))
      })
      response.on('end', () => {
        const { statusCode: status = 0 } = response
        resolve({ status, etag: response.headers.etag, body: Buffer.concat(chunks) })
      })
    })
    request.end()
  })
}

function failed(message: string, cause?: unknown): AppError {
  return new AppError('unavailable', message, { cause })
}
