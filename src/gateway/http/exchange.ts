import type { ClientRequest, IncomingMessage } from 'node:http'
import { UpstreamFault } from '../conduit.ts'
import { isEstablished } from './agents.ts'
import type { Site } from './site.ts'

/** What becomes of the body of an answer. */
export interface Sink {
  /** Takes a piece; true if it completed something, so that the time for the next thing starts anew. */
  chunk(chunk: Buffer): boolean
  /** The body is complete. */
  end(): void
}

export interface ExchangeHears {
  /** The head of the answer; what is thrown here or by the sink as `UpstreamFault` ends the exchange. */
  head(response: IncomingMessage): Sink
  /** It is over, well or with a fault; told once, and not after `abort`. */
  over(fault: UpstreamFault | undefined): void
}

export interface Asked {
  method: 'POST' | 'GET' | 'DELETE'
  headers: readonly string[]
  body?: string
  /** How long nothing may come; undefined = for ever. */
  silenceMs: number | undefined
  /** Whether it does no harm if the upstream gets it twice. */
  repeatable: boolean
}

/** A body that keeps coming may take this many times the silence that is allowed. */
const slowest = 5

/**
 * One HTTP request and its answer, with every way it can go wrong told as `UpstreamFault`. Answers `abort`, which
 * ends it without a word.
 */
export function exchange(site: Site, asked: Asked, hears: ExchangeHears): () => void {
  const { method, headers, body, silenceMs } = asked
  let request: ClientRequest | undefined
  let settled = false
  let since = 0
  const timer = silenceMs === undefined ? undefined : setTimeout(() => settle(silent(silenceMs)), silenceMs)

  const settle = (fault: UpstreamFault | undefined) => {
    if (settled) return
    settled = true
    clearTimeout(timer)
    if (fault !== undefined) request?.destroy()
    hears.over(fault)
  }

  // An error is dear to make, and each connection ends in the end.
  const fail = (error: unknown) => settle(faultOf(error, isEstablished(request?.socket ?? null)))
  const broken = (why: string) => {
    if (!settled) settle(new UpstreamFault('crashed', why))
  }

  const guarded = (work: () => void) => {
    if (settled) return
    try {
      work()
    } catch (error) {
      fail(error)
    }
  }

  const read = (response: IncomingMessage) =>
    guarded(() => {
      if (!/^(?:identity)?$/i.test(response.headers['content-encoding'] ?? ''))
        throw new UpstreamFault('garbage', 'It compressed its answer, which was not asked for.')
      const sink = hears.head(response)
      since = Date.now()
      timer?.refresh()
      response.on('data', (chunk: Buffer) =>
        guarded(() => {
          timer?.refresh()
          if (sink.chunk(chunk)) since = Date.now()
          else if (silenceMs !== undefined && Date.now() - since > slowest * silenceMs)
            throw silent(silenceMs)
        }),
      )
      response.on('end', () =>
        guarded(() => {
          sink.end()
          settle(undefined)
        }),
      )
      response.on('error', fail)
      response.on('close', () => broken('The connection ended within the answer.'))
    })

  const start = (retried: boolean) => {
    const sent = site.ask(method, headers)
    request = sent
    let answered = false
    sent.on('response', (response) => {
      answered = true
      read(response)
    })
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (settled) return
      if (!answered && !retried && sent.reusedSocket && mayRepeat(asked, error))
        return guarded(() => start(true))
      fail(error)
    })
    sent.on('close', () => {
      if (request === sent && !answered) broken('The connection ended.')
    })
    sent.end(body)
  }

  guarded(() => start(false))
  return () => {
    settled = true
    clearTimeout(timer)
    request?.destroy()
  }
}

/**
 * Whether a request that met the end of an idle connection may go out again, on another one. A call must not be
 * carried out twice: it goes again only where the kernel refused the very write, so that no byte of it can have arrived.
 */
function mayRepeat({ repeatable, body }: Asked, { code, syscall }: NodeJS.ErrnoException): boolean {
  if (code !== 'ECONNRESET' && code !== 'EPIPE') return false
  return repeatable || (syscall === 'write' && (body?.length ?? 0) <= 4_096)
}

function silent(ms: number): UpstreamFault {
  return new UpstreamFault(
    'timeout',
    `It was silent for ${ms} ms, or took many times as long for one message.`,
  )
}

/**
 * What went wrong, in words for the log; of foreign errors only the code, since their text may hold anything. Once a
 * request has `begun`, what was asked may have been done.
 */
function faultOf(error: unknown, begun: boolean): UpstreamFault {
  if (error instanceof UpstreamFault) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  if (code === 'HPE_HEADER_OVERFLOW')
    return new UpstreamFault('too_large', 'The head of its answer is too large.')
  if (code.startsWith('HPE_')) return new UpstreamFault('garbage', `What it answered is no HTTP (${code}).`)
  if (code === 'ERR_INVALID_CHAR')
    return new UpstreamFault(
      'not_configured',
      'One of its stored headers holds characters no header may hold.',
    )
  return begun
    ? new UpstreamFault('crashed', `It ended the connection before the answer was complete (${code}).`)
    : new UpstreamFault('unreachable', `It cannot be reached (${code}).`)
}
