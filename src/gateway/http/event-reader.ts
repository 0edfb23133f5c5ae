import { StringDecoder } from 'node:string_decoder'

/** One event of a stream. */
export interface StreamEvent {
  name: string
  data: string
}

export interface EventHears {
  event(event: StreamEvent): void
  /** How long to wait before connecting again, as the stream asks for. */
  retry(ms: number): void
}

export interface EventReader {
  /** Reads on, and answers whether a line has ended in this chunk. */
  push(chunk: Buffer): 'line' | 'part' | 'too_large'
  /** The id as of the last complete event; an empty one takes it back. */
  lastId(): string | undefined
}

/** What a line of data takes beside its text, so that a stream of empty ones has an end as well. */
const lineCost = 64

/**
 * Reads a stream of server-sent events (WHATWG HTML, 9.2.6) however it is cut into chunks. A line, and the data of an
 * event, may hold `limit` characters.
 */
export function makeEventReader(hears: EventHears, limit: number): EventReader {
  const decoder = new StringDecoder('utf8')
  let first = true
  let afterCr = false
  let line = ''
  let name = ''
  let data: string[] = []
  let size = 0
  let id: string | undefined
  let completeId: string | undefined

  const take = (text: string) => {
    if (text === '') {
      if (data.length > 0)
        hears.event({ name, data: data.length === 1 ? (data[0] as string) : data.join('\n') })
      completeId = id
      name = ''
      data = []
      size = 0
      return
    }
    const colon = text.indexOf(':')
    const field = colon === -1 ? text : text.slice(0, colon)
    const value = colon === -1 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') {
      data.push(value)
      size += value.length + lineCost
    } else if (field === 'event') name = value
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) hears.retry(Number(value))
  }

  return {
    push(chunk) {
      let text = decoder.write(chunk)
      if (text === '') return 'part'
      if (first && text.startsWith('\ufeff')) text = text.slice(1)
      first = false
      let at = afterCr && text.startsWith('\n') ? 1 : 0
      afterCr = false
      let lf = text.indexOf('\n', at)
      let cr = text.indexOf('\r', at)
      let ended = false
      while (lf !== -1 || cr !== -1) {
        const byCr = cr !== -1 && (lf === -1 || cr < lf)
        const end = byCr ? cr : lf
        const whole = line === '' ? text.slice(at, end) : line + text.slice(at, end)
        line = ''
        if (whole.length + size > limit) return 'too_large'
        take(whole)
        ended = true
        at = end + 1
        if (byCr) {
          if (at === text.length) afterCr = true
          else if (text[at] === '\n') at += 1
          cr = text.indexOf('\r', at)
        }
        if (lf !== -1 && lf < at) lf = text.indexOf('\n', at)
      }
      line += text.slice(at)
      if (line.length + size > limit) return 'too_large'
      return ended ? 'line' : 'part'
    },
    lastId: () => completeId,
  }
}
