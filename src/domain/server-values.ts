import { createHmac } from 'node:crypto'
import { encodeBase62 } from './base62.ts'

/** What is shown in the place of a value; it is never one (enkrypt:configs:get:env-mask-refused). */
export const mask = '***'

/** Variables of a program's environment, or headers of the requests to an address. */
export type ValueSide = 'env' | 'headers'

/** What a reference to a value looks like. */
export const fingerprintPattern = /^fp_[0-9A-Za-z]{16}$/

/**
 * `fp_` and 16 base62 characters that are the same for the same value under the same name, and tell nobody the value
 * who has not the key (security.md R37). A header is never taken for a variable.
 */
export function valueFingerprint(key: Buffer, side: ValueSide, name: string, value: string): string {
  const mac = createHmac('sha256', key)
    .update(JSON.stringify([side, name, value]))
    .digest('hex')
  return `fp_${encodeBase62(BigInt(`0x${mac}`) % 62n ** 16n, 16)}`
}

const variablePattern = /^[A-Za-z_][\w.-]{0,199}$/
// They decide which code a program loads (security.md R34); Windows takes no notice of their letter case.
const loadsCode = /^(?:(?:LD_|DYLD_|PYTHON|TOKENWRIGHT_).*|NODE_OPTIONS|PATH)$/i

/** Why a variable of this name is refused, as the end of a sentence; undefined when it is fine. */
export function variableProblem(name: string): string | undefined {
  if (!variablePattern.test(name)) return 'must be named by 1 to 200 letters, digits, _ . -'
  if (loadsCode.test(name)) return 'may not be set: it could make the server run other code, or is our own'
  return undefined
}

const headerPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/
const framing = /^(?:host|connection|content-length|transfer-encoding|upgrade|te|trailer|keep-alive)$/i

/** Why a header of this name is refused, as the end of a sentence; undefined when it is fine (RFC 9110, 5.1). */
export function headerProblem(name: string): string | undefined {
  if (!headerPattern.test(name)) return 'is no name of a header'
  if (framing.test(name)) return 'may not be set: it belongs to the connection'
  return undefined
}
