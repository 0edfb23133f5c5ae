import { AppError } from '../core/errors.ts'
import type { VerifyOptions } from '../core/verify.ts'
import { type Judged, judgedFrom, refusalOf } from '../http/judged.ts'
import type { Gate, Visit } from './gate.ts'

/** What of a server a request wants. */
interface Wanted {
  server?: string | undefined
  /** The tool, prompt or resource it names. */
  name?: string | undefined
}

/**
 * The steps before a message is looked at, in one verdict: bearer, token, address, server scope, tool rules, limits.
 * Throws what the endpoint answers (mctx contract, section 9).
 */
export async function admit(
  { face }: Gate,
  visit: Visit,
  { server, name }: Wanted,
  options: VerifyOptions,
): Promise<Judged> {
  const { request, facts } = visit
  const presented = { via: 'gateway' as const, ip: facts.ip, server, tool: name }
  const judged = await judgedFrom(request, face, presented, { management: true, ...options })
  const { token, verdict, limit } = judged
  if (limit !== undefined) visit.limit = limit
  if (verdict !== 'valid' || token.kind === 'management')
    face.core.tallies.count({
      action: 'gateway_refused',
      target_id: token.id,
      via: 'gateway',
      ip: facts.ip,
      cause: token.kind === 'management' ? 'management_key' : verdict,
    })
  const refusal = refusalOf(judged)
  if (refusal === undefined) return judged
  throw refusal.reason === 'server_not_in_scope' && mayAskForAll(judged) ? noSuchServer() : refusal
}

/** Whoever may open every server learns that there is none of that name; all others are told nothing of it. */
function mayAskForAll({ token }: Judged): boolean {
  return token.all_servers === 1 && token.project_id === null
}

function noSuchServer(): AppError {
  return new AppError('not_found', 'There is no server of that name.', { entity: 'server' })
}
