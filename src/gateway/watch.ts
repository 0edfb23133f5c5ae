import type { Presented } from '../core/still-good.ts'
import type { Gate, Session } from './gate.ts'

/** How long a session outlives its token at most is twice this, ms. */
const every = 300

/** Ends the sessions whose token is no longer good for them, on whichever node it was ended. */
export function watchSessions({ face, sessions }: Pick<Gate, 'face' | 'sessions'>): { stop(): void } {
  const { core, log } = face
  let looking = false

  async function look(): Promise<void> {
    const live = sessions.all()
    if (looking || live.length === 0) return
    looking = true
    try {
      const good = await core.stillGood(live.map(asked))
      await Promise.all(live.filter((_, at) => good[at] === false).map((session) => sessions.end(session)))
    } catch (error) {
      // While the store is down nothing new is let in either; who is in stays until it can be asked again.
      log.warn({ error }, 'sessions could not be checked')
    } finally {
      looking = false
    }
  }

  const timer = setInterval(() => void look(), every)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

function asked({ principal, slug, presented }: Session): Presented {
  return { token_id: principal, server: slug, ...presented }
}
