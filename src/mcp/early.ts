import { listTools } from './list-tools.ts'
import { listedFor, type McpOptions } from './listed.ts'
import { listing } from './listing.ts'
import { methodNames, offered } from './offered.ts'
import type { Method, Surface, Turn } from './surface.ts'

/**
 * The same surface before the store is open: what clients ask first is answered from the listing, and everything else
 * waits for `open`, which is called once.
 */
export function makeEarly(options: McpOptions, open: () => Promise<Surface>): Surface {
  let opening: Promise<Surface> | undefined
  const waiting: ((surface: Surface) => void)[] = []
  const opened = () => {
    if (opening === undefined) {
      opening = open()
      opening.then(
        (surface) => {
          for (const attach of waiting) attach(surface)
        },
        () => undefined,
      )
    }
    return opening
  }
  const later = (name: string): Method =>
    async function answer(turn: Turn) {
      const method = (await opened()).methods.get(name)
      if (method === undefined) throw new Error(`no method ${name}`)
      return method(turn)
    }
  const methods = new Map(methodNames.map((name) => [name, later(name)]))
  methods.set('tools/list', listTools(listedFor(listing, options)))
  return {
    ...offered(options.version),
    methods,
    stateKey: async () => (await opened()).stateKey(),
    watchable: async (caller, uris) => (await opened()).watchable?.(caller, uris) ?? [],
    watch(caller, wants, tell, any) {
      let stop: (() => void) | undefined
      let over = false
      // To listen is no reason to open: nothing is subscribed to before.
      const attach = (surface: Surface) => {
        if (!over) stop = surface.watch?.(caller, wants, tell, any)
      }
      if (opening === undefined) waiting.push(attach)
      else void opening.then(attach, () => undefined)
      return () => {
        over = true
        stop?.()
      }
    },
  }
}
