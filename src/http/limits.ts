/** Bounds of what a request may cost (security R24, R29). */
export interface HttpLimits {
  bodyBytes: number
  jsonDepth: number
  jsonMembers: number
  /** Failed authentications per address (IPv6: per /64) and minute. */
  failuresPerMinute: number
}

export const defaultLimits: HttpLimits = {
  bodyBytes: 256 * 1024,
  jsonDepth: 32,
  jsonMembers: 1_000,
  failuresPerMinute: 100,
}

/** Longest request target, characters (security R25). */
export const longestUrl = 8 * 1024

/** Most header lines of a request (security R25). */
export const mostHeaders = 100
