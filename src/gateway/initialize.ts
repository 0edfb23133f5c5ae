import { LATEST_PROTOCOL_VERSION, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js'
import type { Entry } from '../core/entries.ts'
import { AppError } from '../core/errors.ts'
import { newRedactions } from '../domain/guardrails/redactions.ts'
import { answerWith } from '../http/exchange.ts'
import type { Judged } from '../http/judged.ts'
import { objectIn, type RpcAnswer, type RpcRequest } from '../http/messages.ts'
import type { Gate, Session, Visit } from './gate.ts'
import { unopened } from './introduce.ts'
import { linkOf, releaseLinks } from './open-links.ts'
import { headersOf } from './request.ts'
import { blockedAnswer, screenedAnswer, screenIn } from './screening.ts'
import { makeSession } from './session.ts'

/** Opens a session: at one server with what that server says of itself, where all are one with our own words. */
export async function initialize(
  gate: Gate,
  visit: Visit,
  token: Judged,
  message: RpcRequest,
): Promise<void> {
  const session = makeSession(gate, visit, token, message.params ?? {})
  const answer =
    visit.slug === null ? ownWords(gate, message) : await serverWords(gate, visit.slug, session, message)
  if ('result' in answer) session.version = answer.result['protocolVersion']
  const opens = gate.sessionsOn && 'result' in answer
  if (opens) await kept(gate, session)
  else await releaseLinks(gate, session)
  answerWith(visit.request, visit.response, 200, answer, headersOf(visit, opens ? session.id : undefined))
}

/** Keeps a session; one there is no place for lets go of what it opened. */
async function kept(gate: Gate, session: Session): Promise<void> {
  try {
    gate.sessions.add(session)
  } catch (error) {
    await releaseLinks(gate, session)
    throw error
  }
}

async function serverWords(
  gate: Gate,
  slug: string,
  session: Session,
  message: RpcRequest,
): Promise<RpcAnswer> {
  const entry = await gate.face.core.entries.find(slug)
  if (entry === undefined) throw new AppError('forbidden', 'The token does not reach this server.')
  try {
    const screened = screenIn(entry, message)
    if ('blocked' in screened) return blockedAnswer(message.id, screened.blocked)
    const link = await linkOf(gate, gate.sessionsOn ? session : undefined, entry, session.principal)
    const result = adapted(link.about, entry, message)
    return screenedAnswer(entry, { jsonrpc: '2.0', id: message.id, result }, newRedactions())
  } catch (error) {
    if (error instanceof AppError) throw error
    return unopened(message.id, entry, error)
  }
}

/** What a shared program said to the gateway, as an answer to this client. */
function adapted(
  about: Record<string, unknown>,
  { runs }: Entry,
  { params }: RpcRequest,
): Record<string, unknown> {
  if (runs?.kind !== 'program') return about
  const declared = objectIn(params, 'capabilities')
  const offered = { ...objectIn(about, 'capabilities') }
  // Tasks of one client are nothing another may list.
  if (declared['tasks'] === undefined) delete offered['tasks']
  const protocolVersion = versionFor(params, String(about['protocolVersion']))
  return { ...about, capabilities: offered, protocolVersion }
}

function versionFor(params: Record<string, unknown> | undefined, other: string): string {
  const asked = params?.['protocolVersion']
  return typeof asked === 'string' && SUPPORTED_PROTOCOL_VERSIONS.includes(asked) ? asked : other
}

const capabilities = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  completions: {},
  logging: {},
}

const instructions =
  'All MCP servers this token reaches, as one. Tools and prompts are named <server>__<name>; URIs of resources start with mcp+<server>+.'

function ownWords({ version }: Gate, { id, params }: RpcRequest): RpcAnswer {
  return {
    jsonrpc: '2.0',
    id,
    result: {
      protocolVersion: versionFor(params, LATEST_PROTOCOL_VERSION),
      capabilities,
      serverInfo: { name: 'tokenwright-gateway', title: 'Tokenwright gateway', version },
      instructions,
    },
  }
}

/** What the gateway says of itself to a server where no client speaks. */
export function introduction(version: string): Record<string, unknown> {
  return {
    protocolVersion: LATEST_PROTOCOL_VERSION,
    capabilities: {},
    clientInfo: { name: 'tokenwright-gateway', version },
  }
}
