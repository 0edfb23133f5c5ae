import { parseArgs } from 'node:util'
import { config as configureZod } from 'zod'
import { type Flags, readConfig } from '../config.ts'
import { makeLog } from '../log.ts'
import { makeEarly } from '../mcp/early.ts'
import { serveStdio } from '../mcp/stdio.ts'
import { settingTable } from '../setting-table.ts'
import type { OpenProduct } from './open-product.ts'
import { logFaults, mcpOptions, stopSignal, userName } from './process.ts'

/** How long after the start the store is opened although nobody has asked for it, ms: what is wrong with it is said in time. */
const latest = 1_000

/** Serves MCP on standard input and output until the client is gone. The store is opened beside the first answers. */
export async function serveStandardIo(flags: Flags): Promise<void> {
  // Compiling schemas pays off after thousands of calls; a conversation has dozens and waits for the start.
  configureZod({ jitless: true })
  const config = readConfig('stdio', flags)
  const log = makeLog(config.log_level)
  logFaults(log)
  const options = mcpOptions(config)
  let opening: Promise<OpenProduct> | undefined
  const open = () => {
    opening ??= import('./open-product.ts').then(({ openProduct }) => openProduct(config, options, log))
    return opening
  }
  const surface = makeEarly(options, async () => (await open()).surface)
  const refused = new Promise<never>((_, reject) => setTimeout(() => open().catch(reject), latest).unref())
  try {
    // Being asked to stop is the end of the input: the calls that run are answered first.
    void stopSignal().then(() => process.stdin.destroy())
    await Promise.race([serveStdio({ surface, role: config.role, user: userName(), log }), refused])
    // Whoever starts it to see whether it starts is told of a store that cannot be opened as well.
    await open()
  } finally {
    await opening?.then(
      ({ close }) => close(),
      () => undefined,
    )
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
