import { timingSafeEqual } from 'node:crypto'
import type { FoundToken, Lookups } from '../../db/lookup.ts'
import type { Scope } from '../../db/scope.ts'
import { isoOf } from '../domain/iso.ts'
import { digest, wellFormed } from '../domain/secret.ts'
import type { ToolRules } from '../domain/tool-rules.ts'
import { isLimited, type LimitState } from '../domain/use-limits.ts'
import { type Candidate, judge, type Question, statusOf, type Verdict } from '../domain/verdict.ts'
import type { Counting } from './counting.ts'
import type { Uses } from './uses.ts'

export type { LimitState } from '../domain/use-limits.ts'

/** What is asked about a secret; `server` is an id or a slug. */
export interface Request {
  ip?: string | null
  server?: string
  tool?: string
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
  /** Present where the token has limits and this use was counted, or refused because of them; or was inspected. */
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
  /** What the same request was told a moment ago: its row is not read again. */
  earlier?: Verified
}

/** How long a request may go on with the row it was let in by, ms. */
const moment = 250

export interface Verifier {
  /** Judges a secret as it is used; a `valid` is noted as a use. */
  verify(secret: string, request: Request, options?: VerifyOptions): Promise<Verified>
  /** Judges a token by id without using it. */
  inspect(tokenId: string, request: Request): Promise<Verified>
}

/** Builds the one way in which every face and the gateway decide about a secret. */
export function makeVerifier(
  lookups: Lookups,
  pepper: Buffer,
  uses: Uses,
  counting: Counting,
  clock: () => number,
): Verifier {
  const iso = () => isoOf(clock())

  function judged(token: FoundToken | undefined, question: Question, predecessor: boolean): Verified {
    if (token === undefined) return { verdict: 'unknown', predecessor, question }
    const candidate = candidateOf(token)
    return { verdict: judge(candidate, question), token, predecessor, candidate, question }
  }

  async function reach(token: Reaching, server: string) {
    const found = await lookups.reached([token.id, token.all_servers, token.project_id, server])
    return { slug: found?.slug ?? server, reached: found !== undefined }
  }

  /** The token whose predecessor this is, while its grace lasts; any other secret that is not good may be stolen. */
  async function findPredecessor(hash: Buffer, now: string): Promise<FoundToken | undefined> {
    const replaced = await lookups.byPrevious([hash])
    if (replaced !== undefined && replaced.previous_until !== null && now < replaced.previous_until)
      return replaced
    uses.suspect(hash)
    return undefined
  }

  function findToken(hash: Buffer, now: string): Found | Promise<Found> {
    const finding = lookups.bySecret([hash])
    return finding instanceof Promise
      ? finding.then((row) => found(row, hash, now))
      : found(finding, hash, now)
  }

  function found(row: FoundToken | undefined, hash: Buffer, now: string): Found | Promise<Found> {
    if (row !== undefined && timingSafeEqual(row.secret_hash, hash)) return { token: row, predecessor: false }
    return findPredecessor(hash, now).then((token) => ({ token, predecessor: token !== undefined }))
  }

  return {
    async verify(secret, request, options = {}) {
      const now = iso()
      const question = questionOf(request, now)
      if (!wellFormed(secret)) return judged(undefined, question, false)
      const finding = fresh(options.earlier, now) ?? findToken(digest(pepper, secret), now)
      // What is there is not waited for: validation is measured by its speed.
      const { token, predecessor } = finding instanceof Promise ? await finding : finding
      const shown = token !== undefined && !isHidden(token, options) ? token : undefined
      if (request.server !== undefined) {
        // Asked for what is unknown as well, or the time of the answer would tell it apart (security R30).
        const server = await reach(token ?? nobody, request.server)
        if (shown !== undefined) question.server = server
      }
      let result = judged(shown, question, predecessor)
      if (shown === undefined || result.verdict !== 'valid') {
        const isPlain = token !== undefined && !predecessor && statusOf(result.verdict) === 401
        // For the same reason.
        if (isPlain) await lookups.byPrevious([token.secret_hash])
        return result
      }
      if (options.count === true && isLimited(shown))
        result = limited(result, await counting.count(shown, Date.parse(now)))
      if (result.verdict === 'valid' && options.note !== false)
        uses.note(shown, { at: now, ip: request.ip ?? null, previous: predecessor })
      return result
    },
    async inspect(tokenId, request) {
      await uses.settled()
      const token = await lookups.byId([tokenId])
      const known = token?.kind === 'management' ? undefined : token
      const now = iso()
      const question = questionOf(request, now)
      if (known === undefined) return judged(undefined, question, false)
      if (request.server !== undefined) question.server = await reach(known, request.server)
      const result = judged(known, question, false)
      if (!isLimited(known)) return result
      return limited(result, await counting.look(known, Date.parse(now)))
    },
  }
}

interface Found {
  token: FoundToken | undefined
  predecessor: boolean
}

function fresh(earlier: Verified | undefined, now: string): Found | undefined {
  if (earlier?.token === undefined || Date.parse(now) - Date.parse(earlier.question.now) > moment)
    return undefined
  return { token: earlier.token, predecessor: earlier.predecessor }
}

type Reaching = Pick<FoundToken, 'id' | 'all_servers' | 'project_id'>

/** Reaches nothing. */
const nobody: Reaching = { id: '', all_servers: 0, project_id: null }

function questionOf({ ip, tool }: Request, now: string): Question {
  const question: Question = { now }
  if (ip !== undefined) question.ip = ip
  if (tool !== undefined) question.tool = tool
  return question
}

function isHidden(token: FoundToken, { management, within = {} }: VerifyOptions): boolean {
  const { token_id = token.id, owner_id = token.owner_id, project_id = token.project_id } = within
  const isOutside = token.id !== token_id || token.owner_id !== owner_id || token.project_id !== project_id
  return isOutside || (token.kind === 'management' && management !== true)
}

/** The same verdict, the token's own limits being asked as well. */
function limited(verified: Verified, limit: LimitState): Verified {
  const question = { ...verified.question, limit: { reached: limit.reached } }
  return { ...verified, question, verdict: judge(verified.candidate, question), limit }
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
