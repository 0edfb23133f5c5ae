import type { Presented } from '../core/still-good.ts'
import type { Gate, Session } from './gate.ts'
import { closeTo } from './open-links.ts'

/** How long a session outlives its token at most is twice this, ms. */
const every = 300

type Watched = Pick<Gate, 'face' | 'sessions' | 'links' | 'lone'>

/** Something that is open, what it was let in with, and what ends it. */
interface Held {
  presented: Presented
  end(): void | Promise<void>
}

/**
 * Ends the sessions and the calls whose token is no longer good for them, on whichever node it was ended; where all servers
 * are one, closes those the token lost.
 */
export function watchSessions({ face, sessions, links, lone }: Watched): { stop(): void } {
  const { core, log } = face
  let looking = false

  function held(): Held[] {
    const live = sessions.all()
    // Most calls are over before they are looked at.
    const calls = [...lone].filter(({ since }) => since < Date.now() - every)
    return [
      ...live.map((session) => ({ presented: asked(session), end: () => sessions.end(session) })),
      ...live.flatMap(streamOf),
      ...live.flatMap((session) => serversOf(links, session)),
      ...calls,
    ]
  }

  async function look(): Promise<void> {
    const all = looking ? [] : held()
    if (all.length === 0) return
    looking = true
    try {
      const good = await core.stillGood(all.map(({ presented }) => presented))
      await Promise.all(all.filter((_, at) => good[at] === false).map(({ end }) => end()))
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

/** The stream of a session, where it was opened with another secret than the one the client shows now. */
function streamOf(session: Session): Held[] {
  const { listened, presented, conversation } = session
  if (listened === undefined || listened === presented) return []
  return [{ presented: { ...asked(session), ...listened }, end: () => conversation.standing?.end() }]
}

/** The servers a session has open where all are one. */
function serversOf(links: Gate['links'], session: Session): Held[] {
  const open = session.slug === null ? [...session.links.values()] : []
  return open.map(({ entry }) => ({
    presented: { ...asked(session), server: entry.slug },
    end: () => closeTo({ links }, session, entry),
  }))
}
