import { z } from 'zod'
import { AppError, errorCodes } from '../core/errors.ts'
import type { Session } from './world.ts'

const patience = 30_000
const refusal = z.object({ error: z.enum(errorCodes), detail: z.string().max(4_000) })
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Runs operations on a server, over `POST /v1/<name>` with a management key. */
export function remoteSession(url: string, key: string | undefined): Session {
  const base = url.replace(/\/$/, '')
  return {
    address: base,
    async call(operation, input, secret) {
      if (operation.faces !== undefined && !operation.faces.includes('rest')) {
        throw new AppError('unsupported', `${operation.name} works on the data folder only; leave out --url.`)
      }
      // A password in the body is the credential, and no other travels beside it.
      const bearer = operation.credential === undefined ? (secret ?? key) : undefined
      if (bearer === undefined && operation.permission !== 'public' && operation.credential === undefined) {
        throw new AppError('unauthenticated', 'Put a management key of that server into TOKENWRIGHT_KEY.')
      }
      const response = await post(`${base}/v1/${operation.name}`, bearer, input)
      const body: unknown = await response.json().catch(() => undefined)
      if (response.ok && typeof body === 'object' && body !== null) return body
      throw told(body)
    },
    close: async () => undefined,
  }
}

/** True if the key would travel unencrypted to another machine. */
export function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !loopback.test(hostname)
}

async function post(address: string, key: string | undefined, input: object): Promise<Response> {
  try {
    return await fetch(address, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify(input),
      // A redirect would carry the key to an address nobody named.
      redirect: 'error',
      signal: AbortSignal.timeout(patience),
    })
  } catch (cause) {
    const { host } = new URL(address)
    throw new AppError(
      'unavailable',
      `The server at ${host} cannot be reached. Check --url and that it runs.`,
      { cause },
    )
  }
}

function told(body: unknown): AppError {
  const known = refusal.safeParse(body)
  if (known.success) return new AppError(known.data.error, known.data.detail)
  return new AppError('unavailable', 'The answer is not one of a Tokenwright server. Check --url.')
}
