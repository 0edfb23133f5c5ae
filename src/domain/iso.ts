let last = Number.NaN
let text = ''

/** A time in ms as ISO 8601 UTC; the last one is remembered, because many things happen in one millisecond. */
export function isoOf(ms: number): string {
  if (ms !== last) {
    text = new Date(ms).toISOString()
    last = ms
  }
  return text
}
