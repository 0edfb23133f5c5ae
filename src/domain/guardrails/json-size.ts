/**
 * Whether a value takes more than `most` bytes as JSON text; it stops counting there. The text itself is never made, so
 * neither its depth nor its size matters.
 */
export function isLargerThan(root: unknown, most: number): boolean {
  let bytes = 0
  const tasks: unknown[] = [root]
  while (tasks.length > 0) {
    const value = tasks.pop()
    if (Array.isArray(value)) {
      bytes += punctuation(value.length)
      if (bytes <= most) for (const item of value) tasks.push(item)
    } else if (typeof value === 'object' && value !== null) {
      const entries = Object.entries(value).filter(([, item]) => item !== undefined)
      bytes += punctuation(entries.length)
      for (const [key, item] of entries) {
        bytes += textBytes(key) + 1
        tasks.push(item)
      }
    } else bytes += typeof value === 'string' ? textBytes(value) : String(value ?? null).length
    if (bytes > most) return true
  }
  return false
}

/** Brackets, and commas between the members. */
function punctuation(members: number): number {
  return 2 + Math.max(0, members - 1)
}

function textBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text))
}
