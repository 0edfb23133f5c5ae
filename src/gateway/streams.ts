import { AppError } from '../core/errors.ts'
import { answerWith, openStream, type Stream } from '../http/exchange.ts'
import { admit } from './admit.ts'
import type { Gate, Session, Visit } from './gate.ts'
import { sessionOf } from './session.ts'

/** Most standing streams of one credential (security R26). */
const mostStreams = 100

/** Opens the stream of a session on which messages come that belong to no request (GET). */
export async function listen(gate: Gate, visit: Visit): Promise<void> {
  const session = await named(gate, visit)
  if (gate.sessions.streams(session.principal) >= mostStreams)
    throw new AppError('rate_limited', `One credential holds at most ${mostStreams} standing streams.`)
  const stream = openStream(visit.response, { 'mcp-session-id': session.id })
  session.conversation.stand(stream)
  session.standing = true
  session.listened = session.presented
  visit.response.once('close', () => leave(gate, session, stream))
  for (const { link } of session.links.values())
    void link.then((open) => open.listen()).catch(() => undefined)
}

/** A newer stream of the session stays. */
function leave({ face }: Gate, session: Session, stream: Stream): void {
  if (session.conversation.standing !== stream) return
  session.conversation.stand(undefined)
  session.standing = false
  session.listened = undefined
  session.touched = face.core.clock()
}

/** Ends a session at its client's wish (DELETE). */
export async function endSession(gate: Gate, visit: Visit): Promise<void> {
  await gate.sessions.end(await named(gate, visit))
  answerWith(visit.request, visit.response, 204, undefined)
}

async function named(gate: Gate, visit: Visit): Promise<Session> {
  const token = await admit(gate, visit, { server: visit.slug ?? undefined }, { note: false })
  if (!gate.sessionsOn) throw new AppError('unsupported', 'There are no sessions here.', { reason: 'method' })
  const session = sessionOf(gate, visit, token)
  if (session === undefined)
    throw new AppError('invalid_input', 'Bad Request: Mcp-Session-Id header is required', { reason: 'rpc' })
  return session
}
