/** The lines of a byte stream without their ends; null stands for one of more than `longest` bytes, which is skipped. */
export async function* linesOf(
  chunks: AsyncIterable<Buffer | string>,
  longest: number,
): AsyncGenerator<Buffer | null> {
  let parts: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    let rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
      const last = rest.subarray(0, end)
      rest = rest.subarray(end + 1)
      yield size + last.length > longest ? null : Buffer.concat([...parts, last])
      parts = []
      size = 0
    }
    size += rest.length
    // What is too long already is counted and not kept.
    if (size > longest) parts = []
    else if (rest.length > 0) parts.push(rest)
  }
  if (size > 0) yield size > longest ? null : Buffer.concat(parts)
}

const newline = 0x0a
