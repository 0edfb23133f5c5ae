import type { Dialogue, Question, Reply } from '../core/context.ts'
import { GivenBack } from '../core/errors.ts'
import type { Json, Turn } from './surface.ts'

/** What the client lends an operation of the ways to talk with it and with the person behind it. */
export function dialogueOf(turn: Turn): Dialogue {
  const { abilities, ask, nonce, signal } = turn
  const token = tokenOf(turn.params)
  const able = (mode: 'form' | 'url') => ask !== undefined && abilities.elicitation?.[mode] !== undefined
  async function elicit(key: string, params: Json): Promise<Reply> {
    try {
      const answers = await ask?.({ [key]: { method: 'elicitation/create', params } })
      return replyOf(answers?.[key])
    } catch (error) {
      if (error instanceof GivenBack) throw error
      // A client that fails to ask, or a person who is away too long, has not said yes.
      return replyOf(undefined)
    }
  }
  return {
    nonce,
    signal,
    progress(done, total) {
      if (token === undefined) return
      turn.notify('notifications/progress', { progressToken: token, progress: done, total })
    },
    ...(able('form') && {
      fill: ({ key, message, schema }: Question) => elicit(key, formOf(message, schema)),
    }),
    ...(able('url') && {
      visit: ({ key, message, url }: { key: string; message: string; url: string }) =>
        elicit(key, { mode: 'url', message, url, elicitationId: key }),
    }),
  }
}

function formOf(message: string, requestedSchema: object): Json {
  return { mode: 'form', message, requestedSchema }
}

function tokenOf(params: Json): string | number | undefined {
  const meta = params['_meta']
  if (typeof meta !== 'object' || meta === null || !('progressToken' in meta)) return undefined
  const { progressToken: token } = meta
  return typeof token === 'string' || typeof token === 'number' ? token : undefined
}

/** Whatever is no clear yes is a no. */
function replyOf(answer: Json | undefined): Reply {
  const { action, content } = answer ?? {}
  const given = typeof content === 'object' && content !== null && !Array.isArray(content)
  if (action === 'accept') return { action, content: given ? (content as Json) : {} }
  return { action: action === 'decline' ? 'decline' : 'cancel', content: {} }
}
