import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js'
import type { Entry } from '../core/entries.ts'
import { AppError } from '../core/errors.ts'
import type { Redactions } from '../domain/guardrails/redactions.ts'
import { readJsonOf } from '../http/body.ts'
import { answerWith, type Exchange, openExchange } from '../http/exchange.ts'
import type { Judged } from '../http/judged.ts'
import {
  asMessage,
  isAnswer,
  isRequest,
  type RpcAnswer,
  type RpcMessage,
  type RpcRequest,
} from '../http/messages.ts'
import { internal, rpc } from '../http/rpc.ts'
import { admit } from './admit.ts'
import { type Aim, aimOf } from './aim.ts'
import { answerForAll } from './all.ts'
import { failure, unknownMethod } from './faults.ts'
import type { Gate, Session, Visit } from './gate.ts'
import { initialize } from './initialize.ts'
import { unopened } from './introduce.ts'
import { endWithClient, makeLone } from './lone.ts'
import { outerResult } from './naming.ts'
import { enter, type Hold } from './open-calls.ts'
import { linkOf } from './open-links.ts'
import { headersOf, wantsStream } from './request.ts'
import { blockedAnswer, screenedAnswer, screenIn } from './screening.ts'
import { sessionOf, tell } from './session.ts'
import { listed, visible } from './subjects.ts'

/** Largest message of a client, bytes; arguments of a call may be whole files. */
const longestMessage = 4 * 1024 * 1024
const bounds = { jsonDepth: 64, jsonMembers: 100_000 }

/** A request that has passed every rule of its token. */
export interface Call {
  gate: Gate
  visit: Visit
  token: Judged
  session: Session | undefined
  exchange: Exchange
  /** Keeps it counted as open. */
  hold: Hold
  message: RpcRequest
}

/**
 * A message on its way to a server: read bearer → verify → address → server scope → tool rules → limits →
 * guardrails in → forward → guardrails out. Each step refuses before the next one runs, and no server hears of what is refused.
 */
export async function post(gate: Gate, visit: Visit): Promise<void> {
  // Whoever has no good credential learns nothing about its message (mctx:mcp:401:body).
  const earlier = await admit(gate, visit, {}, { note: false })
  const message = await readMessage(visit)
  if (isRequest(message) && message.method !== 'initialize' && message.method !== 'ping')
    return carry(gate, visit, message, earlier)
  const token = await admit(gate, visit, { server: visit.slug ?? undefined }, { note: false, earlier })
  if (isRequest(message) && message.method === 'initialize') {
    const opened = enter(gate, visit, token.token.id)()
    return initialize(gate, visit, token, message).finally(opened)
  }
  const session = sessionOf(gate, visit, token)
  if (isRequest(message)) {
    const pong = { jsonrpc: '2.0', id: message.id, result: {} }
    return answerWith(visit.request, visit.response, 200, pong, headersOf(visit))
  }
  if (isAnswer(message)) session?.conversation.reply(message)
  else if (session !== undefined) await tell(session, message)
  answerWith(visit.request, visit.response, 202, undefined)
}

async function readMessage({ request }: Visit): Promise<RpcMessage> {
  const message = asMessage(await readJsonOf(request, longestMessage, bounds))
  if (message !== undefined) return message
  throw new AppError('invalid_input', 'Send one JSON-RPC 2.0 message; batches are not answered.', {
    reason: 'rpc',
  })
}

/** Carries a request to the server it is about, or to all of them. */
async function carry(gate: Gate, visit: Visit, message: RpcRequest, earlier: Judged): Promise<void> {
  const aim = aimOf(visit.slug, message)
  if ('refused' in aim) {
    await admit(gate, visit, { server: visit.slug ?? undefined }, { note: false, earlier })
    return answerWith(visit.request, visit.response, 200, aim.refused)
  }
  const wanted = { server: aim.server ?? undefined, name: aim.subject?.name }
  const token = await admit(gate, visit, wanted, { count: true, earlier })
  const session = sessionOf(gate, visit, token)
  refuseVersion(visit, session)
  if (session?.conversation.calls.has(message.id)) throw idInUse()
  const hold = enter(gate, visit, token.token.id)
  const streams = wantsStream(visit)
  const exchange = openExchange(visit.request, visit.response, { streams, headers: headersOf(visit) })
  const call = { gate, visit, token, session, exchange, hold, message }
  await (aim.server === null ? answerForAll(call) : forward(call, aim, aim.server))
}

function idInUse(): AppError {
  return new AppError('invalid_input', 'A call with this id is still running; use each id once.', {
    reason: 'rpc',
  })
}

async function forward(call: Call, { subject, inner }: Aim, server: string): Promise<void> {
  const { gate, visit, token, session, exchange, message } = call
  const entry = await gate.face.core.entries.find(server)
  if (entry === undefined) throw new AppError('forbidden', 'The token does not reach this server.')
  if (subject?.kind === 'tool' && !listed(entry, subject.name))
    throw new AppError('forbidden', 'This tool of the server is not let through.')
  // What a method means that nobody knows is no rule's to say.
  const ruled = token.candidate?.tool_rules != null || entry.tools !== null
  if (subject === undefined && ruled) return exchange.answer(unknownMethod(message.id))
  const screened = screenIn(entry, inner)
  if ('blocked' in screened) return exchange.answer(blockedAnswer(message.id, screened.blocked))
  const conversation = session?.conversation ?? makeLone(entry, token.token.id)
  try {
    const link = await linkOf(gate, session, entry, token.token.id)
    if (link.shared && runsTasks(entry, message)) return exchange.answer(unknownMethod(message.id))
    const finish = (answer: RpcAnswer) => finished(call, entry, answer, screened.memory)
    // Another one of this id may have come while the link was opened; an answer is judged as that of its own call.
    if (conversation.calls.has(message.id)) throw idInUse()
    conversation.open(message.id, { exchange, finish, settled: call.hold() })
    const noTasks = visit.slug === null || (link.shared && entry.runs?.kind === 'program')
    if (session === undefined) keepLone(call, server, () => link.expel(conversation))
    link.call(conversation, noTasks ? withoutTask(screened.message) : screened.message)
    if (session === undefined) endWithClient(visit.response, link, conversation)
  } catch (error) {
    if (error instanceof AppError) throw error
    exchange.answer(unopened(message.id, entry, error))
  }
}

/** Keeps a call without a session in sight, so that it ends with its token. */
function keepLone({ gate, visit, token }: Call, server: string, end: () => void): void {
  const { id, generation } = token.token
  const presented = { token_id: id, server, ip: visit.facts.ip, generation, predecessor: token.predecessor }
  const lone = { presented, since: Date.now(), end }
  if (visit.response.closed) return
  gate.lone.add(lone)
  visit.response.once('close', () => gate.lone.delete(lone))
}

/** Tasks of a program that several share would be open to all of them. */
function runsTasks({ runs }: Entry, { method }: RpcRequest): boolean {
  return runs?.kind === 'program' && method.startsWith('tasks/')
}

/** Where no tasks are offered a request that wants to be one is carried out as any other, as the protocol has it. */
function withoutTask(message: RpcRequest): RpcRequest {
  const { task, ...params } = message.params ?? {}
  return task === undefined ? message : { ...message, params }
}

/** What the caller is told of a server's answer; a fault of ours says nothing of it. */
function finished(call: Call, entry: Entry, answer: RpcAnswer, memory: Redactions): RpcAnswer {
  const { gate, visit } = call
  try {
    return shown(call, entry, screenedAnswer(entry, answer, memory))
  } catch (error) {
    gate.face.log.error({ error, request_id: visit.facts.requestId }, 'an answer could not be passed on')
    return failure(answer.id, rpc.internal, internal)
  }
}

/** A server's answer as its caller may see it. */
function shown({ visit, token, message }: Call, entry: Entry, answer: RpcAnswer): RpcAnswer {
  if (!('result' in answer)) return answer
  const result = visible(message.method, answer.result, entry, token.candidate?.tool_rules ?? null)
  return { ...answer, result: visit.slug === null ? outerResult(entry.slug, result) : result }
}

/** Refuses a revision of the protocol that neither we know nor the session has agreed on. */
function refuseVersion({ request }: Visit, session: Session | undefined): void {
  const version = request.headers['mcp-protocol-version']
  if (version === undefined || version === session?.version) return
  if (SUPPORTED_PROTOCOL_VERSIONS.includes(String(version))) return
  throw new AppError('invalid_input', 'Bad Request: Unsupported protocol version', { reason: 'rpc' })
}
