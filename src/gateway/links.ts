import type { Entry, EntryRuns } from '../core/entries.ts'
import type { Logger } from '../log.ts'
import { type OpenConduit, UpstreamFault } from './conduit.ts'
import { asFault } from './faults.ts'
import { InitializeRefused } from './introduce.ts'
import { type Link, openLink, type Party } from './link.ts'

/** Opens a conversation with what a server runs or calls. */
export type OpenRuns = (slug: string, runs: EntryRuns) => OpenConduit

export interface LinksOptions {
  open: OpenRuns
  /** How long a server may be silent during a call, ms. */
  timeout: number
  /** How long a shared link stays open without users, ms. */
  idle: number
  clock(): number
  log: Logger
  /** What the gateway says of itself where no client speaks. */
  introduction: Record<string, unknown>
}

/** Programs one token may have running for its sessions alone; they are few, and all tokens share them. */
const mostOwn = 8

/** A shared link, or one that is being opened. */
interface Place {
  runs: EntryRuns | null
  opening: Promise<Link>
  link?: Link
}

/** All links of a process: a session's own, and those that are shared. */
export interface Links {
  /** A link for one party alone, introduced as its client. Rejects with `UpstreamFault` or `InitializeRefused`. */
  own(entry: Entry, params: Record<string, unknown>, tokenId: string): Promise<Link>
  /** The link of everybody who may share: one for a program, one for each token at an address. */
  shared(entry: Entry, tokenId: string): Promise<Link>
  /** Lets a party go from a link, and ends the link if it was its own. */
  release(link: Link, party: Party): void
  close(): Promise<void>
}

/** Keeps links open while they are used, and gives up what is silent for too long. */
export function makeLinks({ open, timeout, idle, clock, log, introduction }: LinksOptions): Links {
  /** Links of one party alone, and what is let go of with them. */
  const owned = new Map<Link, () => void>()
  /** Programs that sessions of one token have for themselves. */
  const programs = new Map<string, number>()
  const shared = new Map<string, Place>()
  let made = 0
  const nextId = () => `tw-${++made}`
  const sweeper = setInterval(sweep, Math.max(20, Math.min(1_000, timeout / 4, idle / 2)))
  sweeper.unref()

  function sweep(): void {
    for (const link of owned.keys()) link.sweep()
    for (const [key, { link }] of shared) {
      link?.sweep()
      if (link !== undefined && (link.over || (link.users === 0 && clock() - link.idleSince > idle)))
        drop(key, link)
    }
  }

  function owning(link: Link, free: () => void = () => undefined): Link {
    owned.set(link, free)
    return link
  }

  function drop(key: string, link: Link): void {
    shared.delete(key)
    void link.close()
  }

  async function start(entry: Entry, params: Record<string, unknown>, shared: boolean): Promise<Link> {
    const { slug } = entry
    // A program says nothing between messages; over HTTP bytes do.
    const silence = entry.runs?.kind === 'program' ? timeout : null
    if (entry.runs === null) throw new UpstreamFault('not_configured', 'neither program nor address')
    try {
      const troubled = (fault: UpstreamFault) =>
        told(slug, fault, 'a server behind the gateway does not do its part')
      return await openLink(open(slug, entry.runs), params, {
        slug,
        shared,
        timeout,
        silence,
        clock,
        nextId,
        troubled,
      })
    } catch (error) {
      if (!(error instanceof InitializeRefused))
        told(slug, error, 'a server behind the gateway cannot be opened')
      throw error
    }
  }

  function told(server: string, error: unknown, what: string): void {
    const { problem, message } = asFault(error)
    log.warn({ server, problem, reason: message }, what)
  }

  return {
    async own(entry, params, tokenId) {
      if (entry.runs?.kind !== 'program') return owning(await start(entry, params, false))
      const held = programs.get(tokenId) ?? 0
      if (held >= mostOwn) throw new UpstreamFault('busy', `one token has ${held} programs of its own`)
      programs.set(tokenId, held + 1)
      const free = () => {
        const left = (programs.get(tokenId) ?? 1) - 1
        if (left > 0) programs.set(tokenId, left)
        else programs.delete(tokenId)
      }
      try {
        return owning(await start(entry, params, false), free)
      } catch (error) {
        free()
        throw error
      }
    },
    async shared(entry, tokenId) {
      const key = entry.runs?.kind === 'program' ? entry.id : `${entry.id} ${tokenId}`
      const known = shared.get(key)
      // What it runs is another object as soon as it is changed.
      if (known !== undefined && known.runs === entry.runs && known.link?.over !== true) return known.opening
      if (known?.link !== undefined) drop(key, known.link)
      const opening = start(entry, introduction, true)
      const place: Place = { runs: entry.runs, opening }
      shared.set(key, place)
      try {
        const link = await opening
        place.link = link
        return link
      } catch (error) {
        if (shared.get(key) === place) shared.delete(key)
        throw error
      }
    },
    release(link, party) {
      link.leave(party)
      const free = owned.get(link)
      if (!owned.delete(link)) return
      free?.()
      void link.close()
    },
    async close() {
      clearInterval(sweeper)
      const opened = [...owned.keys(), ...[...shared.values()].flatMap(({ link }) => link ?? [])]
      owned.clear()
      shared.clear()
      await Promise.all(opened.map((link) => link.close()))
    },
  }
}
