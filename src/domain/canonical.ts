/**
 * JSON with the members of every object sorted by UTF-16 code unit and no blanks, for hashing: equal values
 * give equal bytes whatever order they were built in. Takes what `JSON.parse` gives; members that are
 * undefined are left out. Throws TypeError for what JSON cannot hold (dates, maps, functions), as they would
 * all hash alike.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (isPlainObject(value)) {
    const keys = Object.keys(value).sort()
    const members = keys.filter((key) => value[key] !== undefined)
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`
  }
  const isScalar = value === null || ['string', 'number', 'boolean'].includes(typeof value)
  if (!isScalar) throw new TypeError('value is not JSON')
  return JSON.stringify(value)
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
