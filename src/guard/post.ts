import { GuardError } from './fault.ts'
import type { Settled } from './options.ts'

/** Asks Tokenwright at a path; a form or a value to be sent as JSON. Answers the parsed JSON of a 200. */
export type Post = (path: string, body: URLSearchParams | object) => Promise<unknown>

/** Bytes of an answer; a token that reaches thousands of servers has a long one. */
const longest = 1024 * 1024

/**
 * One request over kept connections: no redirects, no second try, nothing of the caller's request in it but what the body
 * holds. Throws GuardError for everything that is no answer.
 */
export function makePost({ base, key, timeoutMs }: Settled): Post {
  return async (path, body) => {
    const isForm = body instanceof URLSearchParams
    const request: RequestInit = {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
        accept: 'application/json',
        'accept-encoding': 'identity',
        'user-agent': 'tokenwright-guard',
      },
      body: isForm ? body.toString() : JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    }
    try {
      return await answerOf(await fetch(`${base}${path}`, request))
    } catch (error) {
      throw faultOf(error, timeoutMs)
    }
  }
}

/** A fault of an answer that is not as agreed. */
export function unexpected(what: string): GuardError {
  return new GuardError('unexpected', `The answer of Tokenwright ${what}.`)
}

async function answerOf(response: Response): Promise<unknown> {
  if (response.status !== 200) {
    await response.body?.cancel()
    throw refused(response)
  }
  const text = await bounded(response)
  try {
    return JSON.parse(text)
  } catch {
    throw unexpected('is no JSON')
  }
}

function refused({ status, headers }: Response): GuardError {
  const wait = Number(headers.get('retry-after') ?? Number.NaN)
  const facts = { status, retryAfter: Number.isSafeInteger(wait) && wait >= 0 ? wait : undefined }
  if (status === 401 || status === 403) {
    return new GuardError('key_refused', `Tokenwright refuses the key of this guard (${status}).`, facts)
  }
  if (status === 429 || status === 503) {
    return new GuardError('busy', `Tokenwright cannot answer now (${status}).`, facts)
  }
  return new GuardError('unexpected', `Tokenwright answered ${status}; is that its address?`, facts)
}

async function bounded(response: Response): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let size = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length
    // Leaving the loop cancels the rest.
    if (size > longest) throw unexpected('is too long')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function faultOf(error: unknown, timeoutMs: number): GuardError {
  if (error instanceof GuardError) return error
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new GuardError('timeout', `Tokenwright did not answer within ${timeoutMs} ms.`, { cause: error })
  }
  return new GuardError('unreachable', 'Tokenwright cannot be reached.', { cause: error })
}
