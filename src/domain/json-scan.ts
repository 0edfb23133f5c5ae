const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const colon = 0x3a

/** Members of one object at most, however large the text: nothing we take comes near, and more cost seconds to judge. */
export const mostInObject = 10_000

/**
 * Bounds a JSON text before `JSON.parse` sees it (security.md R24, F7). `depth` counts open `[` and `{` (a
 * bare number has 0, `[[]]` has 2); `members` counts the members of all objects and the elements of all
 * arrays together: one for each comma outside a string and one for each container that is not empty. Both
 * limits are the largest value allowed; it never judges whether the text is JSON, which is the parser's work.
 * One object has at most `mostInObject` members, one for each colon.
 */
export function scanJson(
  bytes: Uint8Array,
  limits: { depth: number; members: number },
): 'ok' | 'too_deep' | 'too_many_members' | 'too_wide' {
  let depth = 0
  let members = 0
  /** Members of the object that is open at each depth; deeper than any limit of ours, two depths share a place. */
  const inObject = new Int32Array(64)
  let opened = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === undefined || byte <= 0x20) continue
    const closes = byte === closeBracket || byte === closeBrace
    if (closes) depth--
    if (byte === colon) {
      const count = (inObject[depth & 63] ?? 0) + 1
      inObject[depth & 63] = count
      if (count > mostInObject) return 'too_wide'
    }
    if (byte === comma || (opened && !closes)) {
      members++
      if (members > limits.members) return 'too_many_members'
    }
    opened = byte === openBracket || byte === openBrace
    if (opened) {
      depth++
      inObject[depth & 63] = 0
      if (depth > limits.depth) return 'too_deep'
    }
    if (byte === quote) at = stringEnd(bytes, at)
  }
  return 'ok'
}

function stringEnd(bytes: Uint8Array, start: number): number {
  let at = start + 1
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1
  return at
}
