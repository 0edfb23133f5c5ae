import type { Presented } from '../core/still-good.ts'
import type { Gate, Session } from './gate.ts'
import { closeTo } from './open-links.ts'

/** How long a session outlives its token at most is twice this, ms. */
const every = 300

/**
 * Ends the sessions whose token is no longer good for them, on whichever node it was ended; where all servers are one, closes
 * those the token lost.
 */
export function watchSessions({ face, sessions, links }: Pick<Gate, 'face' | 'sessions' | 'links'>): {
  stop(): void
} {
  const { core, log } = face
  let looking = false

  async function look(): Promise<void> {
    const live = sessions.all()
    if (looking || live.length === 0) return
    looking = true
    try {
      const held = live.flatMap(serversOf)
      const good = await core.stillGood([...live.map(asked), ...held.map(({ presented }) => presented)])
      await Promise.all(live.filter((_, at) => good[at] === false).map((session) => sessions.end(session)))
      const lost = held.filter((_, at) => good[live.length + at] === false)
      await Promise.all(lost.map(({ session, entry }) => closeTo({ links }, session, entry)))
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

/** The servers a session has open where all are one. */
function serversOf(session: Session) {
  const links = session.slug === null ? [...session.links.values()] : []
  return links.map(({ entry }) => ({
    session,
    entry,
    presented: { ...asked(session), server: entry.slug },
  }))
}
