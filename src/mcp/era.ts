import { isObject, objectIn, type RpcMessage } from '../http/messages.ts'

/** The member of `_meta` by which a message of the second era says which revision it is of. */
const claim = 'io.modelcontextprotocol/protocolVersion'

/** The first revision of the second era (2026-07-28 and later), in which there are no sessions. */
const turn = '2026-07-28'

/** Whether a message speaks the protocol's second era; `version` = the header of HTTP, if there is one. */
export function isSecondEra(message: RpcMessage, version?: string | string[]): boolean {
  if (isLater(version)) return true
  if (!('method' in message)) return false
  if (message.method === 'server/discover') return true
  const meta = objectIn(isObject(message.params) ? message.params : undefined, '_meta')
  return Object.hasOwn(meta, claim)
}

/** Whether a revision is of the second era; revisions are dates, so text order is time order. */
export function isLater(version: string | string[] | undefined): boolean {
  return typeof version === 'string' && /^\d{4}-\d\d-\d\d$/.test(version) && version >= turn
}
