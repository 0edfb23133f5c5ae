/** Where a token stands against its own limits. */
export interface LimitState {
  limit: number
  remaining: number
  /** Seconds until the window ends; null = never. */
  reset: number | null
  /** Seconds until a refused request can pass; null = not refused, or never again. */
  retry_after: number | null
}

/** A good token, as introspection tells it. */
export interface Active {
  active: true
  token_id: string
  name: string | null
  kind: 'access' | 'user_key'
  owner_id: string | null
  owner_email: string | null
  project_id: string | null
  groups: string[]
  servers: string[]
  /** Seconds since 1970; null = never. */
  exp: number | null
  limit: LimitState | null
}

export interface Inactive {
  active: false
}

/** A verdict of `validate_token`. */
export interface Verdict {
  verdict: string
  limit: LimitState | null
}

type Members = Record<string, unknown>

/** Reads an introspection; undefined if it is none. What is not exactly as agreed is no answer. */
export function readIntrospection(body: unknown): Active | Inactive | undefined {
  if (!isMembers(body)) return undefined
  const { active, jti, sub, kind, groups, servers } = body
  if (active === false) return { active }
  const { exp = null, name = null, username = null, project_id = null } = body
  const limit = limitOf(body['limit'])
  if (active !== true || limit === undefined || !isId(jti) || !isId(sub)) return undefined
  if ((kind !== 'access' && kind !== 'user_key') || !isTexts(groups) || !isTexts(servers)) return undefined
  if (!isNullOr(isCount, exp)) return undefined
  if (!isNullOr(isText, name) || !isNullOr(isText, username) || !isNullOr(isText, project_id))
    return undefined
  const owner_id = sub === jti ? null : sub
  return {
    active,
    token_id: jti,
    name,
    kind,
    owner_id,
    owner_email: username,
    project_id,
    groups,
    servers,
    exp,
    limit,
  }
}

/** Reads a verdict; undefined if it is none. */
export function readVerdict(body: unknown): Verdict | undefined {
  if (!isMembers(body)) return undefined
  const { verdict } = body
  const limit = limitOf(body['limit'])
  return isId(verdict) && limit !== undefined ? { verdict, limit } : undefined
}

/** Null = not limited, undefined = unreadable. */
function limitOf(value: unknown = null): LimitState | null | undefined {
  if (value === null) return null
  if (!isMembers(value)) return undefined
  const { limit, remaining, reset, retry_after } = value
  if (!isCount(limit) || !isCount(remaining)) return undefined
  if (!isNullOr(isCount, reset) || !isNullOr(isCount, retry_after)) return undefined
  return { limit, remaining, reset, retry_after }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isId(value: unknown): value is string {
  return isText(value) && value !== ''
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isNullOr<T>(is: (value: unknown) => value is T, value: unknown): value is T | null {
  return value === null || is(value)
}
