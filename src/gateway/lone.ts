import { type Conversation, makeConversation } from './conversation.ts'

/** The client's side of a request without a session: nobody can be asked, and nothing is kept. */
export function makeLone(holder: string): Conversation {
  return makeConversation({
    holder,
    asks: false,
    keeps: false,
    outgoing: (_, message) => message,
    incoming: (_, answer) => answer,
    lost: () => undefined,
  })
}
