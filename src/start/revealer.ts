import * as settings from '../../db/settings.ts'
import type { Core } from '../core/invoke.ts'
import type { Logger } from '../log.ts'

/** Where the one-time links of a stdio process lead. */
export interface Revealer {
  /** The address of a page that can reveal a link; null if none can be reached. */
  base(): Promise<string | null>
  /** The core of the same process, once it exists. */
  use(core: Core): void
  close(): Promise<void>
}

const patience = 1_000

/** The server that wrote `public_url`, if it answers, else a listener of our own that is opened for the first link (security R7). */
export function revealer(log: Logger): Revealer {
  let core: Core | undefined
  let listener: Promise<{ url: string; close(): Promise<void> }> | undefined
  return {
    async base() {
      if (core === undefined) return null
      const { public_url } = await settings.load(core.store.read)
      if (public_url !== null && (await answers(public_url))) return public_url
      try {
        const { openRevealListener } = await import('../web/loopback.ts')
        listener ??= openRevealListener(core, log)
        const { url } = await listener
        return url
      } catch (error) {
        listener = undefined
        log.warn({ error }, 'no page for one-time links; tokenwright claim works without one')
        return null
      }
    },
    use(made) {
      core = made
    },
    async close() {
      await (await listener?.catch(() => undefined))?.close()
    },
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const address = `${url.replace(/\/$/, '')}/health`
    const { status } = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(patience) })
    return status === 200
  } catch {
    return false
  }
}
