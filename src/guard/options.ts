/** What a guard must know. What is missing or out of bounds is thrown when the guard is made, not at a request. */
export interface GuardOptions {
  /** Address of Tokenwright, such as `https://tokens.example.com`. */
  url: string | undefined
  /** A management key of the role validator; no other power is used. */
  key: string | undefined
  /** The server that is protected, by its slug or id. A token that does not reach it is refused. */
  server: string | undefined
  /** Milliseconds an answer may take, 1–60,000; 2,000 unless said. After them the request is refused with 503. */
  timeoutMs?: number | undefined
  /**
   * Milliseconds a good answer is remembered, 1–1,000. Off unless said: a token that was revoked opens this server for so
   * long. Answers about limited tokens are never remembered.
   */
  cacheMs?: number | undefined
  /** Told why Tokenwright could not be asked. Unless given, each kind of fault is a warning of the process, once. */
  onError?: ((error: Error) => void) | undefined
}

/** The tool a request calls; undefined = none, null = it cannot be told, and the request is refused. */
export type Tool = string | null | undefined

/** What a guard may be told about requests, `R` being the framework's own. */
export interface RequestOptions<R> {
  /** The address of the caller; the peer of the socket unless given. Behind a proxy, take it from what the proxy says. */
  address?: ((request: R) => string | undefined) | undefined
  /** The tool that is called, so that the tool rules of the token count; `toolOf` reads it from a parsed body. */
  tool?: ((request: R) => Tool | Promise<Tool>) | undefined
  /** Refuses with the JSON-RPC bodies of MCP endpoints instead of `{error, detail}`. */
  jsonrpc?: boolean | undefined
}

/** Options that were found sound. */
export interface Settled {
  /** Address of Tokenwright without a slash at the end. */
  base: string
  key: string
  server: string
  timeoutMs: number
  /** 0 = off. */
  cacheMs: number
  onError: (error: Error) => void
}

/** Throws TypeError for what is missing or unreadable, RangeError for a number out of bounds. */
export function settle(options: GuardOptions): Settled {
  const { url, key, server, timeoutMs, cacheMs, onError } = options
  return {
    base: baseOf(url),
    key: text('key', key, /^[\x21-\x7e]{1,512}$/),
    server: text('server', server, /^[\x21-\x7e]{1,200}$/),
    timeoutMs: timeoutMs === undefined ? 2_000 : within('timeoutMs', timeoutMs, 60_000),
    cacheMs: cacheMs === undefined ? 0 : within('cacheMs', cacheMs, 1_000),
    onError: onError ?? warnOnce(),
  }
}

function baseOf(url: string | undefined): string {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new TypeError('url: give the address of Tokenwright, such as https://tokens.example.com')
  }
  if (parsed.username !== '' || parsed.password !== '' || parsed.search !== '' || parsed.hash !== '') {
    throw new TypeError('url: must hold neither a credential, nor a query, nor a fragment')
  }
  return `${parsed.origin}${parsed.pathname.replace(/\/$/, '')}`
}

// The value is in no message, because one of them is a key.
function text(name: string, value: string | undefined, pattern: RegExp): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new TypeError(`${name}: ${value === undefined || value === '' ? 'is missing' : 'is not of its form'}`)
}

function within(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new RangeError(`${name}: must be a whole number of milliseconds from 1 to ${most}`)
}

function warnOnce(): (error: Error) => void {
  const warned = new Set<string>()
  return ({ message }) => {
    if (warned.has(message)) return
    warned.add(message)
    process.emitWarning(message, { type: 'TokenwrightGuard' })
  }
}
