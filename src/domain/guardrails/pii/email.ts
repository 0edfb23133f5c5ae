import type { PiiFinder, Span } from './finder.ts'

const local = /[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]/u
const domainHead =
  /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|\p{L}{2,24})(?![\p{L}\p{N}])/uy
/** The longest local part and the longest domain (RFC 5321, 4.5.3.1). */
const longestLocal = 64
const longestDomain = 253
/** What a query or a form has before an address: letters of a local part that hardly one has. */
const parameter = /^(?:.*&)?(?:[\w-]+=)?/
/** Names of pictures for screens of other density, such as `icon@2x.png`. */
const density = /^\d(?:\.\d)?x\./
const userInfo = /[a-z][a-z0-9+.-]*:\/\/[^\s/?#]*$/i

/**
 * Addresses as people write them (the `dot-atom` of RFC 5322 with the letters of RFC 6531); no quoted local parts, no
 * address literals. The user of a URL or of `git@host:path` is none.
 */
export const email: PiiFinder = {
  name: 'email',
  kind: 'EMAIL',
  find(text) {
    const spans: Span[] = []
    for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
      const start = localStart(text, at)
      if (start === at || at - start > longestLocal) continue
      const end = domainEnd(text, at + 1)
      if (end === undefined || isOther(text, start, at, end)) continue
      spans.push({ start, end })
    }
    return spans
  },
}

function localStart(text: string, at: number): number {
  let start = at
  while (start > 0 && at - start <= longestLocal && local.test(text.charAt(start - 1))) start--
  while (start < at && /[.'`/{=]/.test(text.charAt(start))) start++
  start += parameter.exec(text.slice(start, at))?.[0].length ?? 0
  return text.charAt(at - 1) === '.' ? at : start
}

function domainEnd(text: string, from: number): number | undefined {
  domainHead.lastIndex = 0
  const match = domainHead.exec(text.slice(from, from + longestDomain))
  return match === null ? undefined : from + match[0].length
}

function isOther(text: string, start: number, at: number, end: number): boolean {
  if (density.test(text.slice(at + 1, end))) return true
  const isRemote = text.slice(start, at) === 'git' && /[:/]/.test(text.charAt(end))
  return isRemote || userInfo.test(text.slice(Math.max(0, start - 100), start))
}
