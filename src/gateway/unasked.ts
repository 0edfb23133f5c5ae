import type { Entry } from '../core/entries.ts'
import type { RpcAnswer, RpcMessage } from '../http/messages.ts'
import { unknownMethod } from './faults.ts'
import type { Session } from './gate.ts'
import type { Link } from './link.ts'
import { outerName } from './naming.ts'
import { blockedAnswer, screenIn, screenOut } from './screening.ts'

/** What a client is told of a message no call of its asked for; undefined = nothing. */
export function toClient(session: Session, link: Link, message: RpcMessage): RpcMessage | undefined {
  const entry = entryOf(session, link)
  // A server the session has let go of has no say in it.
  if (entry === undefined) return undefined
  const screened = screenOut(entry, message)
  if ('blocked' in screened) return undefined
  const told = screened.message
  const uri = 'method' in told ? told.params?.['uri'] : undefined
  if (session.slug !== null || typeof uri !== 'string' || !('method' in told)) return told
  return { ...told, params: { ...told.params, uri: outerName(link.slug, 'resource', uri) } }
}

/** What a server is told of the client's answer to its request. */
export function toServer(session: Session, link: Link, answer: RpcAnswer): RpcAnswer {
  const entry = entryOf(session, link)
  if (entry === undefined) return unknownMethod(answer.id)
  const screened = screenIn(entry, answer)
  return 'blocked' in screened ? blockedAnswer(answer.id, screened.blocked) : screened.message
}

function entryOf({ links }: Session, { slug }: Link): Entry | undefined {
  for (const { entry } of links.values()) if (entry.slug === slug) return entry
  return undefined
}
