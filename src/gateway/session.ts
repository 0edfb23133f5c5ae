import { randomUUID } from 'node:crypto'
import type { Entry } from '../core/entries.ts'
import { AppError } from '../core/errors.ts'
import type { Judged } from '../http/judged.ts'
import { objectIn, type RpcNotification } from '../http/messages.ts'
import { makeConversation } from './conversation.ts'
import type { Gate, Session, Shown, Visit } from './gate.ts'
import type { Link } from './link.ts'
import { releaseLinks } from './open-links.ts'
import { screenIn } from './screening.ts'
import { toClient, toServer } from './unasked.ts'

/** A new session of a token's client; it is kept once it is added. */
export function makeSession(
  gate: Gate,
  visit: Visit,
  judged: Judged,
  params: Record<string, unknown>,
): Session {
  const { token } = judged
  const session: Session = {
    id: randomUUID(),
    principal: token.id,
    standing: false,
    over: false,
    touched: gate.face.core.clock(),
    busy: () => session.conversation.calls.size > 0,
    async end() {
      session.over = true
      session.conversation.end('The session ended.')
      await releaseLinks(gate, session)
    },
    slug: visit.slug,
    params,
    links: new Map(),
    presented: shownBy(visit, judged),
    listened: undefined,
    conversation: makeConversation({
      holder: token.id,
      asks: Object.keys(objectIn(params, 'capabilities')).length > 0,
      keeps: true,
      outgoing: (link, message) => toClient(session, link, message),
      incoming: (link, answer) => toServer(session, link, answer),
      lost: (link) => lost(gate, session, link),
    }),
  }
  return session
}

/**
 * Without its server a session at one server is over. What is shared holds nothing of this client alone and is opened
 * again; where all servers are one, the others go on.
 */
function lost(gate: Gate, session: Session, link: Link): void {
  if (session.slug !== null && !link.shared) void gate.sessions.end(session)
  else
    for (const [id, known] of session.links)
      known.link.then((open) => open === link && session.links.delete(id)).catch(() => undefined)
}

/** The session a request names; another's is as unknown as none. */
export function sessionOf({ sessions, sessionsOn }: Gate, visit: Visit, judged: Judged): Session | undefined {
  const id = visit.request.headers['mcp-session-id']
  if (id === undefined || !sessionsOn) return undefined
  const session = typeof id === 'string' ? sessions.find(id, judged.token.id) : undefined
  if (session === undefined || session.slug !== visit.slug)
    throw new AppError('not_found', 'Session not found', { entity: 'session' })
  // A client that went on to a new secret keeps its session when the grace of the old one ends.
  session.presented = shownBy(visit, judged)
  return session
}

function shownBy({ facts }: Visit, { token, predecessor }: Judged): Shown {
  return { generation: token.generation, predecessor, ip: facts.ip }
}

/** What clients of the protocol say without being asked; of nothing else it is known that it asks for nothing. */
const tellable = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
])

/** Passes a notification of the client on to every server that may want it, as far as its guardrails let it. */
export async function tell(session: Session, message: RpcNotification): Promise<void> {
  if (!tellable.has(message.method)) return
  // Each link was told by whoever opened it.
  if (session.slug === null && message.method === 'notifications/initialized') return
  const told = async ({ entry, link }: { entry: Entry; link: Promise<Link> }) => {
    const open = await link.catch(() => undefined)
    const screened = screenIn(entry, message)
    if ('message' in screened) await open?.notify(session.conversation, screened.message)
  }
  await Promise.all([...session.links.values()].map(told))
}
