import { AppError } from '../core/errors.ts'

/** One client's conversation over HTTP; it identifies nobody, each request brings its own credential (security R12). */
export interface Held {
  id: string
  /** Whose it is: the credential it was opened with. */
  principal: string
  /** A client listens on its standing stream. */
  standing: boolean
  /** When it was last used, ms. */
  touched: number
  /** A call of it is in flight. */
  busy(): boolean
  /** Ends it: its open calls are answered, its streams closed. */
  end(): Promise<void>
}

export interface Sessions<Session extends Held> {
  /** Keeps a new one; throws `unavailable` if all places are taken by calls in flight of those who hold no more. */
  add(session: Session): void
  /** The live session of that id, if it is the principal's own. */
  find(id: string, principal: string): Session | undefined
  /** How many standing streams the principal holds. */
  streams(principal: string): number
  all(): Session[]
  end(session: Session): Promise<void>
  close(): Promise<void>
}

/** The sessions of an endpoint: at most `max`, each until it was idle for `idleMs`. */
export function makeSessions<Session extends Held>({
  max,
  idleMs,
  clock,
}: {
  max: number
  idleMs: number
  clock: () => number
}): Sessions<Session> {
  const live = new Map<string, Session>()
  const sweeper = setInterval(sweep, Math.min(idleMs, 60_000))
  sweeper.unref()

  function sweep(): void {
    for (const session of live.values()) if (isOver(session)) void end(session)
  }

  function isOver(session: Session): boolean {
    return !session.standing && !session.busy() && clock() - session.touched > idleMs
  }

  async function end(session: Session): Promise<void> {
    live.delete(session.id)
    await session.end()
  }

  /**
   * Ends the longest idle session of whoever holds the most, so that nobody can push the others out: neither by opening
   * many, nor by keeping a call in flight in each of many.
   */
  function makeRoom(principal: string): void {
    sweep()
    if (live.size < max) return
    const held = new Map<string, number>()
    for (const { principal } of live.values()) held.set(principal, (held.get(principal) ?? 0) + 1)
    const share = ({ principal }: Pick<Session, 'principal'>) => held.get(principal) ?? 0
    const own = share({ principal })
    const busy = (session: Session) => (session.busy() ? 1 : 0)
    const [first] = [...live.values()]
      .filter((session) => (session.busy() ? share(session) > own + 1 : share(session) >= own))
      .sort((a, b) => share(b) - share(a) || busy(a) - busy(b) || a.touched - b.touched)
    if (first === undefined) {
      throw new AppError(
        'unavailable',
        'All sessions are in use. Try again in a few seconds, or call without a session.',
      )
    }
    void end(first)
  }

  return {
    add(session) {
      if (live.size >= max) makeRoom(session.principal)
      live.set(session.id, session)
    },
    find(id, principal) {
      const session = live.get(id)
      if (session === undefined || session.principal !== principal) return undefined
      if (isOver(session)) {
        void end(session)
        return undefined
      }
      session.touched = clock()
      return session
    },
    streams: (principal) =>
      [...live.values()].filter((session) => session.standing && session.principal === principal).length,
    all: () => [...live.values()],
    end,
    async close() {
      clearInterval(sweeper)
      await Promise.all([...live.values()].map(end))
    },
  }
}
