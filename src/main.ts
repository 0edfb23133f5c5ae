#!/usr/bin/env node
import { parseArgs } from 'node:util'
import type { Given, Launch, Session, World } from './cli/world.ts'
import { type Config, type Flags, platformFolder, readConfig, settingTable, WrongSetting } from './config.ts'
import type { Logger } from './log.ts'

/** Starts the face that the command line asks for and answers the exit code; what stdio does not need loads later. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const flags = argv[0] === 'stdio' ? stdioFlags(argv.slice(1)) : undefined
    if (flags !== undefined) {
      await stdio(flags)
      return 0
    }
    const { runCommandLine } = await import('./cli/run.ts')
    return await runCommandLine(await world(), argv)
  } catch (error) {
    const { startFault } = await import('./start-fault.ts')
    const { sentence, exit, code } = startFault(error)
    const told = argv.includes('--json')
      ? JSON.stringify({ error: code, detail: sentence })
      : `tokenwright: ${sentence}`
    process.stderr.write(`${told}\n`)
    return exit
  }
}

/** The flags of `stdio`, read without the command line's parser, which is slow to load; it tells what is wrong or asked. */
function stdioFlags(args: readonly string[]): Flags | undefined {
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

/** Serves MCP on standard input and output until the client is gone. */
async function stdio(flags: Flags): Promise<void> {
  const config = readConfig('stdio', flags)
  const [{ openApp }, { makeLog }, { serveStdio }] = await Promise.all([
    import('./app.ts'),
    import('./log.ts'),
    import('./mcp/stdio.ts'),
  ])
  const log = makeLog(config.log_level)
  logFaults(log)
  const { revealer } = await import('./revealer.ts')
  const links = revealer(log)
  const app = await openApp({ ...instanceOf(config), serving: true, log, revealBase: links.base })
  links.use(app.core)
  if (app.adminKeyFile !== undefined)
    log.info({ file: app.adminKeyFile }, 'first start: the admin key is in this file')
  try {
    await Promise.race([
      serveStdio({
        core: app.core,
        role: config.role,
        user: await userName(),
        log,
        ...(await mcpOptions(config)),
      }),
      stopSignal(),
    ])
  } finally {
    await links.close()
    await app.close()
    process.stdin.destroy()
  }
}

/** Serves HTTP until it is told to stop. */
async function serveHttp(flags: Flags): Promise<void> {
  const config = readConfig('serve', flags)
  const [{ serve }, { makeLog }, { banner }] = await Promise.all([
    import('./serve.ts'),
    import('./log.ts'),
    import('./cli/banner.ts'),
  ])
  const log = makeLog(config.log_level)
  logFaults(log)
  const stopped = stopSignal()
  const { host = '127.0.0.1', port = 8787, public_url, sessions = 'on' } = config
  const server = await serve({
    instance: instanceOf(config),
    host,
    port,
    ...(public_url === undefined ? {} : { publicUrl: public_url }),
    allowedHosts: config.allowed_hosts ?? [],
    allowedOrigins: config.allowed_origins ?? [],
    trustedProxies: config.trusted_proxies ?? [],
    metricsPublic: config.metrics_public ?? false,
    sessions,
    log,
    ...(await mcpOptions(config)),
  })
  const { terminal } = await world()
  banner(terminal, { url: server.url, adminKeyFile: await adminKeyFile(config), launch: launch(config) })
  await stopped
  log.info('stopping')
  await server.close()
}

/** What the command line needs of everything else. */
async function world(): Promise<World> {
  const { plainOutput } = await import('./config.ts')
  const { stdin, stdout, stderr } = process
  // A reader such as head may leave early; that is no fault of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  return {
    version: (await packageFacts()).version,
    terminal: { stdin, stdout, stderr, styled: stdout.isTTY && !plainOutput() },
    processFlags: settingTable,
    connect: (flags) => connect(flags as Flags),
    serve: (flags) => serveHttp(flags as Flags),
    stdio: (flags) => stdio(flags as Flags),
    launch(given: Given) {
      const config = readConfig('command', given as Flags)
      return {
        ...launch(config),
        address: `${(config.url ?? 'http://127.0.0.1:8787').replace(/\/$/, '')}/mcp`,
      }
    },
  }
}

/** The store itself as its owner, or a server; a data folder that is named wins over an address from the environment. */
async function connect(flags: Flags): Promise<Session> {
  const config = readConfig('command', flags)
  if (flags.url !== undefined && flags.data_dir !== undefined)
    throw new WrongSetting('--url', 'and --data exclude each other')
  if (config.url === undefined || flags.data_dir !== undefined) return openHere(config)
  const { isExposed, remoteSession } = await import('./cli/remote.ts')
  if (isExposed(config.url))
    process.stderr.write('tokenwright: warning: the key travels unencrypted; use https://.\n')
  return remoteSession(config.url, config.key)
}

async function openHere(config: Config): Promise<Session> {
  const [{ openApp }, { invoke }, { makeLog }, { makeId }] = await Promise.all([
    import('./app.ts'),
    import('./core/invoke.ts'),
    import('./log.ts'),
    import('./domain/id.ts'),
  ])
  const app = await openApp({ ...instanceOf(config), serving: false, log: makeLog(config.log_level) })
  if (app.adminKeyFile !== undefined) {
    process.stderr.write(`tokenwright: first start here; the admin key is in ${app.adminKeyFile}\n`)
  }
  const actor = { kind: 'local' as const, id: await userName(), role: config.role }
  const request_id = makeId('request', Date.now(), 0, 0)
  const caller = { actor, via: 'cli' as const, ip: null, client: null, request_id }
  return { call: (operation, input) => invoke(app.core, caller, operation, input), close: app.close }
}

function instanceOf({ data_dir, location, secret, admin_key }: Config) {
  return { dataDir: data_dir, location, secret, adminKey: admin_key }
}

async function mcpOptions({ toolsets = [], read_only = false }: Config) {
  return { toolsets, readOnly: read_only, version: (await packageFacts()).version }
}

async function packageFacts(): Promise<{ version: string }> {
  return (await import('../package.json', { with: { type: 'json' } })).default
}

/** This program as a client would start it: by absolute paths, since clients know little of the user's shell. */
function launch({ data_dir }: Config): Launch {
  const script = process.argv[1] ?? 'tokenwright'
  const ours = /[\\/]_npx[\\/]/.test(script)
    ? { command: 'npx', args: ['-y', 'tokenwright'] }
    : { command: process.execPath, args: [...process.execArgv, script] }
  const data = data_dir === platformFolder() ? [] : ['--data', data_dir]
  return { command: ours.command, args: [...ours.args, 'stdio', ...data] }
}

async function adminKeyFile({ data_dir, admin_key }: Config): Promise<string | undefined> {
  const [{ existsSync }, { join }] = await Promise.all([import('node:fs'), import('node:path')])
  const file = join(data_dir, 'admin.key')
  return admin_key === undefined && existsSync(file) ? file : undefined
}

/** The name of the OS user; a container may run as a number that has none. */
async function userName(): Promise<string> {
  const { userInfo } = await import('node:os')
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
}

/** A fault nobody caught ends the process with one line that holds no secret (security R53). */
function logFaults(log: Logger): void {
  const end = (error: unknown) => {
    log.fatal({ error }, 'unexpected fault; the process ends')
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

process.exitCode = await main(process.argv.slice(2))
