import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tools } from '../../../tools/index.ts'
import type { Caller } from '../../core/context.ts'
import { AppError } from '../../core/errors.ts'
import { invoke } from '../../core/invoke.ts'
import { isSigned } from '../../domain/leak-signature.ts'
import { answerJson, pathOf } from '../../http/answer.ts'
import { onlyHeader } from '../../http/bearer.ts'
import { readBytesOf } from '../../http/body.ts'
import { nativeError } from '../../http/errors.ts'
import type { Facts } from '../../http/facts.ts'
import type { RawRoute } from '../../http/server.ts'
import type { HttpFace } from '../../http/types.ts'
import type { LeakKeys } from './keys.ts'
import { type Match, placeOf, readMatches } from './payload.ts'

const operation = tools.report_leak

/** What GitHub is told of a match (secret scanning partner program, feedback for false positives). */
interface Feedback {
  token_hash: string
  token_type: string
  label: 'true_positive' | 'false_positive'
}

/**
 * `POST /leaks`: reports of GitHub's secret scanning. The signature over the body is the only credential, and is checked
 * before anything in the body is looked at.
 */
export function leaksRoute(face: HttpFace, keys: LeakKeys | undefined): RawRoute {
  return (request, response, facts) => {
    if (pathOf(request) !== '/leaks') return false
    facts.route = '/leaks'
    void answer(face, keys, request, response, facts)
    return true
  }
}

async function answer(
  face: HttpFace,
  keys: LeakKeys | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  facts: Facts,
): Promise<void> {
  try {
    if (keys === undefined) throw closed
    if (request.method !== 'POST')
      throw new AppError('unsupported', 'Reports are sent with POST.', { reason: 'method' })
    const body = await readBytesOf(request, face.limits.bodyBytes)
    await refuseUnsigned(face, keys, request, { body, ip: facts.ip })
    facts.actor = reporter.id
    answerJson(request, response, 200, await reported(face, readMatches(body), facts))
  } catch (error) {
    if (!(error instanceof AppError)) face.log.error({ error, request_id: facts.requestId }, 'request failed')
    const { status, body, headers } = nativeError(error, facts.requestId)
    const asked = status === 401 ? { 'www-authenticate': 'Github-Public-Key-Signature' } : headers
    answerJson(request, response, status, body, asked)
  }
}

const closed = new AppError(
  'not_found',
  'This server takes no reports of leaks; its operator opens the route with --leak-keys.',
)

const reporter = { kind: 'reporter', id: 'github-secret-scanning' } as const

/** The same refusal whatever is wrong with key, signature or body; it counts as a failed authentication (security R29). */
async function refuseUnsigned(
  { core, failures }: HttpFace,
  keys: LeakKeys,
  request: IncomingMessage,
  { body, ip }: { body: Buffer; ip: string | null },
): Promise<void> {
  const identifier = onlyHeader(request, 'github-public-key-identifier')
  const signature = onlyHeader(request, 'github-public-key-signature')
  const isWhole = identifier.single && signature.single
  const key = isWhole && identifier.value !== undefined ? await keys.find(identifier.value) : undefined
  if (key !== undefined && signature.value !== undefined && isSigned(key, signature.value, body)) return
  core.tallies.count({ action: 'authentication_failed', via: 'leaks', ip })
  await failures.count(ip)
  throw new AppError('unauthenticated', 'Send a report that is signed with a current key of the sender.')
}

/** Reports each secret once, however often it was seen, and says of each match what it was. */
async function reported(face: HttpFace, matches: readonly Match[], facts: Facts): Promise<Feedback[]> {
  const { ip, requestId: request_id } = facts
  const caller: Caller = { actor: reporter, via: 'leaks', ip, client: null, request_id }
  const labels = new Map<string, Feedback['label']>()
  for (const match of matches) {
    const { token: secret } = match
    if (labels.has(secret)) continue
    const where = placeOf(match)
    const started = performance.now()
    const input = where === undefined ? { secret } : { secret, where }
    const { result } = await invoke(face.core, caller, operation, input)
    face.metrics.operation(operation.name, (performance.now() - started) / 1_000)
    labels.set(secret, result === 'unknown' ? 'false_positive' : 'true_positive')
  }
  return matches.map(({ token, type }) => ({
    token_hash: createHash('sha256').update(token).digest('base64'),
    token_type: type,
    label: labels.get(token) ?? 'false_positive',
  }))
}
