import { findTokens, reaching } from '../../db/lookup.ts'
import * as reach from '../../db/reach.ts'
import { limitsOf } from '../domain/use-limits.ts'
import { judge, type Verdict } from '../domain/verdict.ts'
import type { Context } from './context.ts'
import { candidateOf } from './verify.ts'

type Named = reach.Named

/** What a token is good for at one moment. */
export interface TokenStanding {
  verdict: Verdict
  /** As `verdict`, for a use from the address of the last one. */
  from_there: Verdict
  expires_at: string | null
  all_servers: boolean
  tool_rules: string | null
  /** As JSON. */
  limits: string
  /** What it opens, by id; nothing unless it is good. */
  servers: ReadonlyMap<string, Named>
}

/** By id of the token. */
export type Standing = ReadonlyMap<string, TokenStanding>

/** Judges tokens as the verifier does; `among` = of no other servers than these. */
export async function standingOf(
  { db, now }: Pick<Context, 'db' | 'now'>,
  tokens: readonly { id: string; last_used_ip: string | null }[],
  among?: readonly Named[],
): Promise<Standing> {
  const lastIp = new Map(tokens.map(({ id, last_used_ip }) => [id, last_used_ip]))
  const found = await findTokens(db, [...lastIp.keys()])
  const judged = found.map((token) => {
    const candidate = candidateOf(token)
    const from = { now, ip: lastIp.get(token.id) ?? null }
    return {
      id: token.id,
      verdict: judge(candidate, { now }),
      from_there: from.ip === null ? judge(candidate, { now }) : judge(candidate, from),
      expires_at: token.expires_at,
      all_servers: token.all_servers === 1,
      tool_rules: token.tool_rules,
      limits: JSON.stringify(limitsOf(token)),
    }
  })
  const good = judged.filter(({ verdict }) => verdict === 'valid').map(({ id }) => id)
  const reached = among === undefined ? await reach.reachedBy(db, good) : await reachedAmong(db, good, among)
  return new Map(
    judged.map(({ id, ...token }) => [
      id,
      { ...token, servers: new Map((reached.get(id) ?? []).map((server) => [server.id, server])) },
    ]),
  )
}

async function reachedAmong(
  db: Context['db'],
  ids: readonly string[],
  among: readonly Named[],
): Promise<Map<string, Named[]>> {
  const bySlug = new Map(among.map((server) => [server.slug, server]))
  const found = new Map<string, Named[]>()
  for (const { token_id, slug } of await reaching(db, ids, [...bySlug.keys()])) {
    const server = bySlug.get(slug)
    if (server !== undefined) found.set(token_id, [...(found.get(token_id) ?? []), server])
  }
  return found
}

/** What a change does to what tokens open. */
export interface Effect {
  /** By at least one of the tokens. */
  lost: Named[]
  gained: Named[]
  /** Opened before and after, and lost by none. */
  kept: Named[]
  /** The tokens that lose or gain something. */
  hit: string[]
}

/** Compares two moments. */
export function effectOf(before: Standing, after: Standing): Effect {
  const lost = new Map<string, Named>()
  const gained = new Map<string, Named>()
  const both = new Map<string, Named>()
  const hit = new Set<string>()
  for (const [id, then] of before) {
    const now = after.get(id)?.servers ?? new Map<string, Named>()
    for (const [server, named] of then.servers) (now.has(server) ? both : lost).set(server, named)
    for (const [server, named] of now) if (!then.servers.has(server)) gained.set(server, named)
    if (!sameKeys(then.servers, now)) hit.add(id)
  }
  const kept = [...both.values()].filter(({ id }) => !lost.has(id))
  return { lost: [...lost.values()], gained: [...gained.values()], kept, hit: [...hit] }
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key))
}
