export interface LinesHears {
  /** A line without its end; the bytes are good until this returns. */
  line(bytes: Buffer): void
  /** The start of a line of more than `longest` bytes, whose rest is skipped. */
  tooLong(start: Buffer): void
}

const newline = 0x0a

/** Cuts a stream of bytes into lines as it comes, and answers what takes the next chunk. */
export function makeLines(hears: LinesHears, longest: number): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let size = 0
  let skips = false

  return (chunk) => {
    let from = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, end))
      if (!skips) hears.line(taken())
      skips = false
      from = end + 1
    }
    if (from < chunk.length) add(chunk.subarray(from))
  }

  function add(part: Buffer): void {
    if (skips) return
    parts.push(part)
    size += part.length
    if (size <= longest) return
    skips = true
    hears.tooLong(taken().subarray(0, longest))
  }

  function taken(): Buffer {
    const [first] = parts
    const whole = parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
    parts = []
    size = 0
    return whole
  }
}
