import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import { AppError } from '../core/errors.ts'
import { mostInObject, scanJson } from '../domain/json-scan.ts'
import { headerValues } from './bearer.ts'
import { defaultLimits, type HttpLimits } from './limits.ts'
import type { HttpEnv } from './types.ts'

type Bounds = Pick<HttpLimits, 'jsonDepth' | 'jsonMembers'>

/** The JSON body of a request, undefined without one; `limit` in bytes. Throws `too_large`, `invalid_input`, `unsupported`. */
export function readJson(c: Context<HttpEnv>, limit?: number): Promise<unknown> {
  return readJsonOf(c.env.incoming, limit)
}

/** The body as it came; `limit` in bytes. Throws `too_large`, `invalid_input`, `unsupported`. */
export function readBytes(c: Context<HttpEnv>, limit?: number): Promise<Buffer> {
  return readBytesOf(c.env.incoming, limit)
}

/** As `readJson`, for a route that works on Node's own request. */
export async function readJsonOf(
  request: IncomingMessage,
  limit: number = defaultLimits.bodyBytes,
  bounds: Bounds = defaultLimits,
): Promise<unknown> {
  const bytes = await readBytesOf(request, limit)
  if (bytes.length === 0) return undefined
  if (!jsonType.test(request.headers['content-type'] ?? '')) {
    throw new AppError('unsupported', 'Send the body as Content-Type: application/json, in UTF-8.', {
      reason: 'media_type',
    })
  }
  return parseJson(bytes, bounds)
}

/** As `readBytes`, for a route that works on Node's own request. */
export function readBytesOf(
  request: IncomingMessage,
  limit: number = defaultLimits.bodyBytes,
): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge(limit))
  const encodings = headerValues(request, 'content-encoding')
  if (encodings.some((value) => value.toLowerCase() !== 'identity')) {
    const told = 'Send the body without Content-Encoding; compressed requests are not read.'
    return Promise.reject(new AppError('unsupported', told, { reason: 'media_type' }))
  }
  // Most bodies came with their headers, and are all there by now.
  if (request.complete && request.readableFlowing === null && !request.destroyed) {
    const bytes = (request.read() as Buffer | null) ?? nothing
    return bytes.length > limit ? Promise.reject(tooLarge(limit)) : Promise.resolve(bytes)
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const stop = () => {
      request.off('data', take).off('end', finish).off('close', abort).off('error', abort)
    }
    const take = (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) return chunks.push(chunk)
      stop()
      request.pause()
      return reject(tooLarge(limit))
    }
    const finish = () => {
      stop()
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
    }
    const abort = () => {
      stop()
      reject(new AppError('invalid_input', 'The connection ended before the body was whole.'))
    }
    request.on('data', take).on('end', finish).on('close', abort).on('error', abort)
  })
}

const nothing = Buffer.alloc(0)

const jsonType = /^application\/json *(;|$)/i

/** Parses JSON whose size is bounded already; depth and members are counted before the parser sees it (security F7). */
export function parseJson(bytes: Buffer, bounds: Bounds = defaultLimits): unknown {
  const found = scanJson(bytes, { depth: bounds.jsonDepth, members: bounds.jsonMembers })
  if (found === 'too_deep') throw tooMuch(`nested deeper than ${bounds.jsonDepth} levels`)
  if (found === 'too_many_members') throw tooMuch(`made of more than ${bounds.jsonMembers} members`)
  if (found === 'too_wide') throw tooMuch(`made of an object with more than ${mostInObject} members`)
  if (!isUtf8(bytes)) throw new AppError('invalid_input', 'The body is not valid UTF-8.', { reason: 'json' })
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    // The parser's own message repeats the text, and the text may hold a secret.
    throw new AppError('invalid_input', 'The body is not valid JSON.', { reason: 'json' })
  }
}

function tooLarge(limit: number): AppError {
  return new AppError('too_large', `The body is larger than ${limit} bytes. Send less.`)
}

function tooMuch(what: string): AppError {
  return new AppError('too_large', `The body is ${what}. Send something simpler.`, { reason: 'complex' })
}
