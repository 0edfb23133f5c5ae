import { timingSafeEqual } from 'node:crypto'
import type { FoundToken, Lookups } from '../../db/lookup.ts'
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

export interface Verified {
  verdict: Verdict
  /** The row behind the secret, whatever the verdict; absent for `unknown`. */
  token?: FoundToken
  /** The secret was replaced and lives in its grace. */
  predecessor: boolean
  /** What was judged, so that a trace of the same checks can be shown. */
  candidate?: Candidate
  question: Question
}

export interface Verifier {
  /** Judges a secret as it is used; a `valid` counts as a use. Management keys are `unknown` unless asked for. */
  verify(secret: string, request: Request, options?: { management?: boolean }): Promise<Verified>
  /** Judges a token by id without using it. */
  inspect(tokenId: string, request: Request): Promise<Verified>
}

/** Builds the one way in which every face and the gateway decide about a secret. */
export function makeVerifier(lookups: Lookups, pepper: Buffer, uses: Uses, clock: () => number): Verifier {
  async function judged(
    token: FoundToken | undefined,
    request: Request,
    now: string,
    predecessor: boolean,
  ): Promise<Verified> {
    const question: Question = { now }
    if (request.ip !== undefined) question.ip = request.ip
    if (request.tool !== undefined) question.tool = request.tool
    if (token === undefined) return { verdict: 'unknown', predecessor, question }
    if (request.server !== undefined) {
      const server = await lookups.reached([token.id, token.all_servers, token.project_id, request.server])
      question.server = { slug: server?.slug ?? request.server, reached: server !== undefined }
    }
    const candidate = candidateOf(token)
    return { verdict: judge(candidate, question), token, predecessor, candidate, question }
  }

  async function findSecret(secret: string, now: string) {
    if (!wellFormed(secret)) return undefined
    const hash = digest(pepper, secret)
    const current = await lookups.bySecret([hash])
    if (current !== undefined) {
      return timingSafeEqual(current.secret_hash, hash) ? { token: current, predecessor: false } : undefined
    }
    const replaced = await lookups.byPrevious([hash])
    if (replaced !== undefined && replaced.previous_until !== null && now < replaced.previous_until) {
      return { token: replaced, predecessor: true }
    }
    uses.suspect(hash)
    return undefined
  }

  return {
    async verify(secret, request, options = {}) {
      const at = clock()
      const now = new Date(at).toISOString()
      const found = await findSecret(secret, now)
      const hidden = found?.token.kind === 'management' && options.management !== true
      const result = await judged(
        hidden ? undefined : found?.token,
        request,
        now,
        found?.predecessor ?? false,
      )
      if (result.verdict === 'valid' && result.token !== undefined) {
        uses.note(result.token, { at: now, ip: request.ip ?? null, previous: result.predecessor })
      }
      return result
    },
    async inspect(tokenId, request) {
      await uses.settled()
      const token = await lookups.byId([tokenId])
      const known = token?.kind === 'management' ? undefined : token
      return judged(known, request, new Date(clock()).toISOString(), false)
    },
  }
}

function candidateOf(token: FoundToken): Candidate {
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
