import type { Entry } from '../core/entries.ts'
import type { RpcAnswer, RpcMessage } from './message.ts'

/** What a call's arguments were before they were redacted, for its answer. */
export type Memory = undefined

/** A message as its policy lets it pass, or why it does not. */
export type Screened<Message> = { message: Message; memory: Memory } | { blocked: object }

/** Checks what goes to a server by the entry's input policy. */
export function screenIn<Message extends RpcMessage>(_entry: Entry, message: Message): Screened<Message> {
  return { message, memory: undefined }
}

/** Checks what comes from a server by the entry's output policy. */
export function screenOut<Message extends RpcMessage>(
  _entry: Entry,
  message: Message,
  _memory?: Memory,
): Screened<Message> {
  return { message, memory: undefined }
}

/** An answer as the caller may have it. */
export function screenedAnswer(entry: Entry, answer: RpcAnswer, memory: Memory): RpcAnswer {
  const screened = screenOut(entry, answer, memory)
  return 'message' in screened ? screened.message : answer
}
