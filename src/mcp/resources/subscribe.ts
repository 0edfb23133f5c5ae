import type { Core } from '../../core/invoke.ts'
import { rpc } from '../../http/rpc.ts'
import { protocolError } from '../refusals.ts'
import type { Json, Turn } from '../surface.ts'
import { contentsOf, uriOf } from './read.ts'

/** Addresses one session is told of at most. */
export const mostFollowed = 500

/** Tells the session of changes from here on (`resources/subscribe`); refused for what cannot be read. */
export async function subscribe(core: Core, turn: Turn): Promise<Json> {
  const uri = uriOf(turn.params)
  const followed = followedBy(turn)
  refuseMore(followed, uri)
  await contentsOf(core, turn.caller, uri)
  await core.changes.begin()
  refuseMore(followed, uri)
  followed.add(uri)
  return {}
}

/** Tells the session no longer (`resources/unsubscribe`). */
export function unsubscribe(turn: Turn): Json {
  followedBy(turn).delete(uriOf(turn.params))
  return {}
}

function followedBy({ subscriptions }: Turn): Set<string> {
  if (subscriptions !== undefined) return subscriptions
  throw protocolError(
    rpc.request,
    'There is no session to tell of changes: call initialize first and send its Mcp-Session-Id with each request.',
  )
}

function refuseMore(followed: ReadonlySet<string>, uri: string): void {
  if (followed.size < mostFollowed || followed.has(uri)) return
  throw protocolError(
    rpc.params,
    `A session follows at most ${mostFollowed} resources; unsubscribe from some.`,
  )
}
