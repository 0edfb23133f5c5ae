import type { Entry } from '../core/entries.ts'
import { AppError } from '../core/errors.ts'
import { objectIn } from '../http/messages.ts'
import type { Gate, Session } from './gate.ts'
import type { Link } from './link.ts'

/** What a client must not declare if it is to share a program: by these a server asks back, or keeps what is one client's. */
const ofOneClient = ['sampling', 'elicitation', 'roots', 'tasks'] as const

/** Whether a session gets a conversation of its own: at an address always, at a program where its client can be asked. */
function needsOwn({ runs }: Entry, { params }: Session): boolean {
  const declared = objectIn(params, 'capabilities')
  return runs?.kind !== 'program' || ofOneClient.some((capability) => declared[capability] !== undefined)
}

/** The link of a session to a server, opened when it is first needed; without a session the shared one. */
export async function linkOf(
  gate: Gate,
  session: Session | undefined,
  entry: Entry,
  tokenId: string,
): Promise<Link> {
  if (session === undefined) return gate.links.shared(entry, tokenId)
  // It may have ended while its request was judged; what is opened now nobody would close.
  if (session.over) throw new AppError('not_found', 'Session not found', { entity: 'session' })
  const known = session.links.get(entry.id)
  if (known !== undefined) {
    const link = await known.link
    const same = known.entry.runs === entry.runs
    // Its rules may be newer than the conversation.
    known.entry = entry
    if (same && !link.over) return link
    if (session.slug !== null && !(same && link.shared)) {
      // What the client knows of the server does not hold any more.
      await gate.sessions.end(session)
      throw new AppError('not_found', 'Session not found', { entity: 'session' })
    }
    gate.links.release(link, session.conversation)
  }
  const link = opened(gate, session, entry, tokenId)
  session.links.set(entry.id, { entry, link })
  link.catch(() => session.links.delete(entry.id))
  return link
}

async function opened(gate: Gate, session: Session, entry: Entry, tokenId: string): Promise<Link> {
  const own = needsOwn(entry, session)
  const link = own
    ? await gate.links.own(entry, session.params, tokenId)
    : await gate.links.shared(entry, tokenId)
  if (session.over) {
    gate.links.release(link, session.conversation)
    throw new AppError('not_found', 'Session not found', { entity: 'session' })
  }
  link.join(session.conversation)
  if (session.slug === null)
    await link.notify(session.conversation, { jsonrpc: '2.0', method: 'notifications/initialized' })
  if (session.standing) link.listen()
  return link
}

/** Lets go of every link of a session. */
export async function releaseLinks(gate: Pick<Gate, 'links'>, session: Session): Promise<void> {
  const opening = [...session.links.values()]
  session.links.clear()
  for (const { link } of opening)
    link.then(
      (open) => gate.links.release(open, session.conversation),
      () => undefined,
    )
}

/** Closes one server to a session whose token does not reach it any more. */
export async function closeTo(gate: Pick<Gate, 'links'>, session: Session, entry: Entry): Promise<void> {
  const known = session.links.get(entry.id)
  session.links.delete(entry.id)
  const link = await known?.link.catch(() => undefined)
  if (link === undefined) return
  link.expel(session.conversation)
  gate.links.release(link, session.conversation)
}
