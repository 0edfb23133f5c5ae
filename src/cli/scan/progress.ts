import type { Terminal } from '../world.ts'
import type { Collection } from './found.ts'

const every = 200

/** Tells on a terminal how far a scan has come; `clear` takes the line away again. */
export function makeProgress({ stderr }: Terminal, { counts, found }: Collection) {
  let last = 0
  let shown = false
  return {
    tell() {
      const now = performance.now()
      if (!stderr.isTTY || now - last < every) return
      last = now
      shown = true
      const { files, objects, bytes } = counts
      const mib = Math.round(bytes / 1024 / 1024)
      stderr.write(`\r\u001b[K${files} files, ${objects} objects, ${mib} MiB; ${found.size} secrets`)
    },
    clear() {
      if (shown) stderr.write('\r\u001b[K')
    },
  }
}
