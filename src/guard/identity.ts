import type { Active } from './told.ts'

/** Whose token it is. */
export interface TokenIdentity {
  readonly token_id: string
  readonly name: string | null
  /** A user key is a token that speaks for its owner inside one project. */
  readonly kind: 'access' | 'user_key'
  readonly owner_id: string | null
  readonly owner_email: string | null
  readonly project_id: string | null
  /** Slugs. */
  readonly groups: readonly string[]
  /** Slugs of the servers it reaches now. */
  readonly servers: readonly string[]
  /** Null = never. */
  readonly expires_at: Date | null
}

/** What the MCP SDKs hand to a tool as `extra.authInfo`. */
export interface AuthInfo {
  token: string
  /** The id of the token. */
  clientId: string
  /** Slugs of the servers it reaches now. */
  scopes: string[]
  /** Seconds since 1970. Of a token without an end: an hour from now, because the SDKs refuse one that has none. */
  expiresAt: number
  /** The identity, by the same names. */
  extra: Record<string, unknown>
}

const secondsAhead = 3_600

// Beside the request and not on it, where anything that writes to a request could put one.
const identities = new WeakMap<object, TokenIdentity>()

/**
 * Who sent a request that a guard let in, by the request, the context (Hono) or the `authInfo` of an MCP handler. Throws
 * if no guard did: a handler that asks is never open by mistake.
 */
export function identityOf(holder: object | undefined): TokenIdentity {
  const identity = holder === undefined ? undefined : identities.get(holder)
  if (identity === undefined) throw new Error('No guard let this request in.')
  return identity
}

/** Makes it known under each holder. */
export function remember(identity: TokenIdentity, ...holders: object[]): void {
  for (const holder of holders) identities.set(holder, identity)
}

/** A new identity for each request: what one handler does to it stays with that handler. */
export function identityFrom({ active, exp, limit, groups, servers, ...facts }: Active): TokenIdentity {
  return Object.freeze({
    ...facts,
    groups: Object.freeze([...groups]),
    servers: Object.freeze([...servers]),
    expires_at: exp === null ? null : new Date(exp * 1_000),
  })
}

/** The form of the MCP SDKs, known to `identityOf` as well. */
export function authInfoOf(token: string, identity: TokenIdentity): AuthInfo {
  const { token_id, servers, expires_at } = identity
  const end = expires_at?.getTime() ?? Date.now() + secondsAhead * 1_000
  const info = {
    token,
    clientId: token_id,
    scopes: [...servers],
    expiresAt: Math.floor(end / 1_000),
    extra: { ...identity },
  }
  remember(identity, info)
  return info
}
