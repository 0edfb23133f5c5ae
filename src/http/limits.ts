/** Bounds of what a request may cost (security R24, R29). */
export interface HttpLimits {
  bodyBytes: number
  jsonDepth: number
  jsonMembers: number
  /** Failed authentications per address (IPv6: per /64) and minute. */
  failuresPerMinute: number
  /** Requests per credential and second; null = any number. */
  requestsPerSecond: number | null
}

export const defaultLimits: HttpLimits = {
  bodyBytes: 256 * 1024,
  jsonDepth: 32,
  jsonMembers: 1_000,
  failuresPerMinute: 100,
  requestsPerSecond: null,
}

/** Bytes of a whole document: a backup, an export (security R24). */
const documentBytes = 16 * 1024 * 1024

/** Bytes of a body that is read before anybody knows who sent it. */
const signInBytes = 16 * 1024

/** What a body may cost: more where the input is a whole document, less where the credential is in it. */
export function boundsOf(limits: HttpLimits, operation: { large?: boolean; credential?: string }) {
  const { bodyBytes, jsonDepth, jsonMembers } = limits
  if (operation.credential !== undefined)
    return { bodyBytes: Math.min(signInBytes, bodyBytes), jsonDepth, jsonMembers }
  return operation.large === true
    ? { bodyBytes: documentBytes, jsonDepth, jsonMembers: Number.POSITIVE_INFINITY }
    : { bodyBytes, jsonDepth, jsonMembers }
}

/** Longest request target, characters (security R25). */
export const longestUrl = 8 * 1024

/** Most header lines of a request (security R25). */
export const mostHeaders = 100
