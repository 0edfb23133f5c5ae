export interface LinesHears {
  /** A line without its end; the bytes are good until this returns. */
  line(bytes: Buffer): void
  /** The start of a line of more than `longest` bytes, whose rest is skipped. */
  tooLong(start: Buffer): void
}

const newline = 0x0a
const nothing = Buffer.alloc(0)
/** A buffer for begun lines that is not given up between them, bytes. */
const keptBytes = 64 * 1024

/** Cuts a stream of bytes into lines as it comes, and answers what takes the next chunk. */
export function makeLines(hears: LinesHears, longest: number): (chunk: Buffer) => void {
  /** The line that has begun; it grows by doubling, so that single bytes cost no more than chunks. */
  let begun = nothing
  let size = 0
  let skips = false

  return (chunk) => {
    let from = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      const part = chunk.subarray(from, end)
      from = end + 1
      if (size > 0 || part.length > longest) add(part)
      if (!skips) hears.line(size > 0 ? begun.subarray(0, size) : part)
      skips = false
      size = 0
      if (begun.length > keptBytes) begun = nothing
    }
    if (from < chunk.length) add(chunk.subarray(from))
  }

  function add(part: Buffer): void {
    if (skips) return
    const whole = size + part.length
    if (whole > begun.length) {
      const larger = Buffer.allocUnsafe(Math.max(whole, Math.min(2 * begun.length, longest)))
      begun.copy(larger, 0, 0, size)
      begun = larger
    }
    part.copy(begun, size)
    size = whole
    if (size <= longest) return
    skips = true
    hears.tooLong(begun.subarray(0, longest))
    size = 0
    begun = nothing
  }
}
