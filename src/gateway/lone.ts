import type { ServerResponse } from 'node:http'
import type { Entry } from '../core/entries.ts'
import { type Conversation, makeConversation } from './conversation.ts'
import type { Link } from './link.ts'
import { screenOut } from './screening.ts'

/** The client's side of a request without a session: nobody can be asked, and nothing is kept. */
export function makeLone(entry: Entry, holder: string): Conversation {
  return makeConversation({
    holder,
    asks: false,
    keeps: false,
    outgoing(_, message) {
      const screened = screenOut(entry, message)
      return 'message' in screened ? screened.message : undefined
    },
    incoming: (_, answer) => answer,
    lost: () => undefined,
  })
}

/** Gives up a call without a session when its client hangs up: nobody will hear its answer. */
export function endWithClient(response: ServerResponse, link: Link, conversation: Conversation): void {
  const gone = () => {
    if (conversation.calls.size === 0) return
    conversation.end('The client is gone.')
    link.leave(conversation)
  }
  if (response.closed) gone()
  else response.once('close', gone)
}
