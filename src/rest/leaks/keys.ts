import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { AppError } from '../../core/errors.ts'
import { readSigningKeys, type SigningKeys } from '../../domain/leak-signature.ts'
import { fetchOnce, ownFence } from '../../http/outbound.ts'

/** Finds the public key a report says it is signed with. */
export interface LeakKeys {
  /** Rejects with `unavailable` where no list of keys can be had. */
  find(identifier: string): Promise<KeyObject | undefined>
}

export interface LeakKeysOptions {
  /** A file, or an address that is asked through the fence. */
  source: string
  /** Hosts the fence lets through although they are private or speak plain http. */
  allowed: readonly string[]
  clock(): number
  /** Tells why a list could not be had. */
  onError(error: unknown): void
}

const hour = 60 * 60_000
const minute = 60_000
/** How long a list is believed when no newer one can be had. */
const longest = 24 * hour
const mostBytes = 256 * 1024
const patience = 10_000

/** True for a source that is an address. */
export function isAddress(source: string): boolean {
  return /^https?:/i.test(source)
}

/**
 * Keeps the list for an hour, and reads it again before that for an identifier it does not know; never more than once a
 * minute, or strangers could make us ask.
 */
export function makeLeakKeys({ source, allowed, clock, onError }: LeakKeysOptions): LeakKeys {
  const load = isAddress(source) ? addressLoader(new URL(source), allowed) : () => readFile(source, 'utf8')
  let held: { keys: SigningKeys; at: number } | undefined
  let tried = Number.NEGATIVE_INFINITY
  let loading: Promise<void> | undefined

  async function reload(): Promise<void> {
    tried = clock()
    const text = await load().catch(onError)
    const keys = typeof text === 'string' ? readSigningKeys(text) : undefined
    if (keys !== undefined) held = { keys, at: tried }
    else if (typeof text === 'string') onError(new Error('it holds no list of public keys'))
  }

  /** Resolves when there is nothing newer to be had for now. */
  async function refresh(): Promise<void> {
    if (loading === undefined && clock() - tried < minute) return
    loading ??= reload().finally(() => {
      loading = undefined
    })
    await loading
  }

  function believed(): SigningKeys {
    if (held === undefined || clock() - held.at > longest) {
      throw new AppError('unavailable', 'The public keys of reports cannot be had now. Try again later.')
    }
    return held.keys
  }

  return {
    async find(identifier) {
      if (held === undefined || clock() - held.at > hour) await refresh()
      const known = believed().get(identifier)
      if (known !== undefined) return known
      await refresh()
      return believed().get(identifier)
    },
  }
}

/** Asks only whether the list has changed, where the server says which one it was. */
function addressLoader(url: URL, allowed: readonly string[]): () => Promise<string | undefined> {
  const fence = ownFence(allowed)
  let last: { etag: string; text: string } | undefined
  return async () => {
    const headers = {
      accept: 'application/json',
      ...(last === undefined ? {} : { 'if-none-match': last.etag }),
    }
    const { status, etag, body } = await fetchOnce(url, {
      fence,
      headers,
      limit: mostBytes,
      timeout: patience,
    })
    if (status === 304) return last?.text
    if (status !== 200) throw new Error(`it answered ${status}`)
    const text = body.toString('utf8')
    last = etag === undefined ? undefined : { etag, text }
    return text
  }
}
