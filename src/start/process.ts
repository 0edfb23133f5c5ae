import { userInfo } from 'node:os'
import facts from '../../package.json' with { type: 'json' }
import type { Config } from '../config.ts'
import type { Logger } from '../log.ts'

export const { version } = facts

/** What `openApp` takes of the settings. */
export function instanceOf({ data_dir, location, secret, admin_key }: Config) {
  return { dataDir: data_dir, location, secret, adminKey: admin_key }
}

/** What the MCP face takes of the settings. */
export function mcpOptions({ toolsets = [], read_only = false }: Config) {
  return { toolsets, readOnly: read_only, version }
}

/** The name of the OS user; a container may run as a number that has none. */
export function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** Resolves when the process is asked to stop. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
}

/** A fault nobody caught ends the process with one line that holds no secret (security R53). */
export function logFaults(log: Logger): void {
  const end = (error: unknown) => {
    log.fatal({ error }, 'unexpected fault; the process ends')
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}
