import type { Readable } from 'node:stream'

const windowMs = 1_000
/** What is read in one turn of the event loop before others get theirs, bytes. */
const turnBytes = 64 * 1024

/**
 * Reads a stream without letting it keep others waiting: a flood waits for the next turn of the event loop after each
 * large chunk, and for the next second after `perSecond` bytes.
 */
export function readPaced(
  stream: Readable,
  take: (chunk: Buffer) => void,
  perSecond = Number.POSITIVE_INFINITY,
): void {
  let began = 0
  let bytes = 0
  const resume = () => void (stream.destroyed || stream.resume())
  stream.on('data', (chunk: Buffer) => {
    take(chunk)
    const now = performance.now()
    if (now - began >= windowMs) {
      began = now
      bytes = 0
    }
    bytes += chunk.length
    if (bytes < perSecond && chunk.length < turnBytes) return
    stream.pause()
    if (bytes < perSecond) setImmediate(resume)
    else setTimeout(resume, began + windowMs - now).unref()
  })
}
