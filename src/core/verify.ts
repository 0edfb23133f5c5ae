import { timingSafeEqual } from 'node:crypto'
import type { FoundToken, Lookups } from '../../db/lookup.ts'
import type { Scope } from '../../db/scope.ts'
import { digest, wellFormed } from '../domain/secret.ts'
import type { ToolRules } from '../domain/tool-rules.ts'
import { type Candidate, judge, type Question, type Verdict } from '../domain/verdict.ts'
import type { Uses } from './uses.ts'

/** What is asked about a secret; `server` is an id or a slug. */
export interface Request {
  ip?: string | null
  server?: string
  tool?: string
}

/** Where a token stands against its own limits, after the use that was counted. */
export interface LimitState {
  /** Requests that are allowed in a window. */
  limit: number
  remaining: number
  /** Seconds until the window ends. */
  reset: number
  /** Seconds until a refused request may come again; null = never, all its uses are used up. */
  retry_after: number | null
}

export interface Verified {
  verdict: Verdict
  /** The row behind the secret, whatever the verdict; absent for `unknown`. */
  token?: FoundToken
  /** The secret was replaced and lives in its grace. */
  predecessor: boolean
  /** What was judged, so that a trace of the same checks can be shown. */
  candidate?: Candidate
  question: Question
  /** Present where the token has limits and this use was counted, or refused because of them. */
  limit?: LimitState
}

export interface VerifyOptions {
  /** Management keys are `unknown` unless asked for. */
  management?: boolean
  /** Counts as a request against the token's own limits, once every other check has passed. */
  count?: boolean
  /** A token outside is as unknown as one that does not exist, and is not used. */
  within?: Scope
  /** false = the secret is only looked at, and a `valid` is no use of it yet. */
  note?: boolean
}

export interface Verifier {
  /** Judges a secret as it is used; a `valid` is noted as a use. */
  verify(secret: string, request: Request, options?: VerifyOptions): Promise<Verified>
  /** Judges a token by id without using it. */
  inspect(tokenId: string, request: Request): Promise<Verified>
}

/** Builds the one way in which every face and the gateway decide about a secret. */
export function makeVerifier(lookups: Lookups, pepper: Buffer, uses: Uses, clock: () => number): Verifier {
  const iso = isoClock(clock)

  async function reach(token: FoundToken, server: string) {
    const found = await lookups.reached([token.id, token.all_servers, token.project_id, server])
    return { slug: found?.slug ?? server, reached: found !== undefined }
  }

  async function judged(
    token: FoundToken | undefined,
    { ip, server, tool }: Request,
    now: string,
    predecessor: boolean,
  ): Promise<Verified> {
    const question: Question = { now }
    if (ip !== undefined) question.ip = ip
    if (tool !== undefined) question.tool = tool
    if (token === undefined) return { verdict: 'unknown', predecessor, question }
    if (server !== undefined) question.server = await reach(token, server)
    const candidate = candidateOf(token)
    return { verdict: judge(candidate, question), token, predecessor, candidate, question }
  }

  /** The token whose predecessor this is, while its grace lasts; any other secret that is not good may be stolen. */
  async function findPredecessor(hash: Buffer, now: string): Promise<FoundToken | undefined> {
    const replaced = await lookups.byPrevious([hash])
    if (replaced !== undefined && replaced.previous_until !== null && now < replaced.previous_until)
      return replaced
    uses.suspect(hash)
    return undefined
  }

  return {
    async verify(secret, request, options = {}) {
      const now = iso()
      if (!wellFormed(secret)) return judged(undefined, request, now, false)
      const hash = digest(pepper, secret)
      const row = await lookups.bySecret([hash])
      const current = row !== undefined && timingSafeEqual(row.secret_hash, hash) ? row : undefined
      const token = current ?? (await findPredecessor(hash, now))
      const hidden = token !== undefined && isHidden(token, options)
      const predecessor = token !== undefined && current === undefined
      const result = await judged(hidden ? undefined : token, request, now, predecessor)
      if (result.verdict === 'valid' && token !== undefined && options.note !== false) {
        uses.note(token, { at: now, ip: request.ip ?? null, previous: predecessor })
      }
      return result
    },
    async inspect(tokenId, request) {
      await uses.settled()
      const token = await lookups.byId([tokenId])
      const known = token?.kind === 'management' ? undefined : token
      return judged(known, request, iso(), false)
    },
  }
}

function isHidden(token: FoundToken, { management, within = {} }: VerifyOptions): boolean {
  const { token_id = token.id, owner_id = token.owner_id, project_id = token.project_id } = within
  const isOutside = token.id !== token_id || token.owner_id !== owner_id || token.project_id !== project_id
  return isOutside || (token.kind === 'management' && management !== true)
}

/** The clock as ISO text, formatted once a millisecond. */
function isoClock(clock: () => number): () => string {
  let at = Number.NaN
  let text = ''
  return () => {
    const now = clock()
    if (now !== at) {
      at = now
      text = new Date(now).toISOString()
    }
    return text
  }
}

/** What judging reads of a row. */
export function candidateOf(token: FoundToken): Candidate {
  return {
    revoked_at: token.revoked_at,
    enabled: token.enabled === 1,
    owner_active: token.owner_active === 1,
    not_before: token.not_before,
    expires_at: token.expires_at,
    allowed_ips: token.allowed_ips === null ? null : (JSON.parse(token.allowed_ips) as string[]),
    tool_rules: token.tool_rules === null ? null : (JSON.parse(token.tool_rules) as ToolRules),
  }
}
