import { parseArgs } from 'node:util'
import { config as configureZod } from 'zod'
import { openApp } from '../app.ts'
import { type Flags, readConfig } from '../config.ts'
import { makeLog } from '../log.ts'
import { makeProduct } from '../mcp/product.ts'
import { serveStdio } from '../mcp/stdio.ts'
import { settingTable } from '../setting-table.ts'
import { instanceOf, logFaults, mcpOptions, stopSignal, userName } from './process.ts'
import { revealer } from './revealer.ts'

/** Serves MCP on standard input and output until the client is gone. */
export async function serveStandardIo(flags: Flags): Promise<void> {
  // Compiling schemas pays off after thousands of calls; a conversation has dozens and waits for the start.
  configureZod({ jitless: true })
  const config = readConfig('stdio', flags)
  const log = makeLog(config.log_level)
  logFaults(log)
  const links = revealer(log)
  const app = await openApp({ ...instanceOf(config), serving: true, log, revealBase: links.base })
  links.use(app.core)
  if (app.adminKeyFile !== undefined)
    log.info({ file: app.adminKeyFile }, 'first start: the admin key is in this file')
  const surface = makeProduct(app.core, mcpOptions(config))
  const options = { surface, role: config.role, user: userName(), log }
  try {
    // Being asked to stop is the end of the input: the calls that run are answered first.
    void stopSignal().then(() => process.stdin.destroy())
    await serveStdio(options)
  } finally {
    await links.close()
    await app.close()
    process.stdin.destroy()
  }
}

/** The flags of `stdio`, read without the command line's parser, which is slow to load and tells what is wrong or asked. */
export function stdioFlags(args: readonly string[]): Flags | undefined {
  const known = settingTable.flatMap(({ name, flag, kind, modes }) => {
    const long = flag?.split(' ')[0]?.slice(2)
    return long === undefined || !modes.includes('stdio') ? [] : [{ name, long, kind }]
  })
  const options = known.map(({ long, kind }) => [
    long,
    { type: kind === 'switch' ? ('boolean' as const) : ('string' as const), multiple: kind === 'list' },
  ])
  try {
    const { values } = parseArgs({
      args: [...args],
      options: Object.fromEntries(options),
      allowPositionals: false,
    })
    const found: Record<string, unknown> = values
    const given = known.map(({ name, long }) => [name, found[long]] as const)
    return Object.fromEntries(given.filter(([, value]) => value !== undefined))
  } catch {
    return undefined
  }
}
