import { AppError } from '../core/errors.ts'
import type { VerifyOptions } from '../core/verify.ts'
import { type Judged, judgedFrom } from '../http/judged.ts'
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
  if (verdict === 'ip_not_allowed')
    throw new AppError('ip_not_allowed', 'This address is not in the allowed_ips of the credential.')
  if (token.kind === 'management') throw new AppError('forbidden', 'A management key opens no server.')
  if (verdict === 'server_not_in_scope') throw outOfReach(judged)
  if (verdict === 'tool_not_in_scope') throw new AppError('forbidden', 'The tool rules do not allow this.')
  if (verdict === 'limit_reached')
    throw new AppError('rate_limited', 'The token has reached its limit.', {
      reason: 'limit_reached',
      ...(judged.limit?.retry_after == null ? {} : { retry_after: judged.limit.retry_after }),
    })
  return judged
}

/** Whoever may open every server learns that there is none of that name; all others are told nothing of it. */
function outOfReach({ token }: Judged): AppError {
  return token.all_servers === 1 && token.project_id === null
    ? new AppError('not_found', 'There is no server of that name.', { entity: 'server' })
    : new AppError('forbidden', 'The token does not reach this server.')
}
