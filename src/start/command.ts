import { openApp } from '../app.ts'
import { isExposed, remoteSession } from '../cli/remote.ts'
import { runCommandLine } from '../cli/run.ts'
import type { Launch, Session, Terminal } from '../cli/world.ts'
import {
  type Config,
  type Flags,
  inheritedEnvironment,
  plainOutput,
  platformFolder,
  readConfig,
  WrongSetting,
} from '../config.ts'
import { authenticate } from '../core/authenticate.ts'
import { invoke } from '../core/invoke.ts'
import { invokeWithPassword } from '../core/with-password.ts'
import { makeId } from '../domain/id.ts'
import { makeLog } from '../log.ts'
import { settingTable } from '../setting-table.ts'
import { instanceOf, userName, version } from './process.ts'

/** Runs one command line and answers its exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr } = process
  // A reader such as head may leave early; that is no fault of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  const terminal: Terminal = { stdin, stdout, stderr, styled: stdout.isTTY && !plainOutput() }
  const world = {
    version,
    terminal,
    processFlags: settingTable,
    connect,
    serve: async (flags: Flags) =>
      (await import('./serve.ts')).serveHttp(flags, terminal, launch(readConfig('serve', flags))),
    stdio: async (flags: Flags) => (await import('./stdio.ts')).serveStandardIo(flags),
    inherited: () => inheritedEnvironment(),
    password: (flags: Flags) => readConfig('command', flags).password,
    launch(flags: Flags) {
      const config = readConfig('command', flags)
      return {
        ...launch(config),
        address: `${(config.url ?? 'http://127.0.0.1:8787').replace(/\/$/, '')}/mcp`,
      }
    },
  }
  return runCommandLine(world, argv)
}

/** The store itself as its owner, or a server; a data folder that is named wins over an address from the environment. */
async function connect(flags: Flags): Promise<Session> {
  const config = readConfig('command', flags)
  if (flags.url !== undefined && flags.data_dir !== undefined)
    throw new WrongSetting('--url', 'and --data exclude each other')
  if (config.url === undefined || flags.data_dir !== undefined) return openHere(config)
  if (isExposed(config.url))
    process.stderr.write('tokenwright: warning: credentials travel unencrypted; use https://.\n')
  return remoteSession(config.url, config.key)
}

async function openHere(config: Config): Promise<Session> {
  const app = await openApp({ ...instanceOf(config), serving: false, log: makeLog(config.log_level) })
  if (app.adminKeyFile !== undefined) {
    process.stderr.write(`tokenwright: first start here; the admin key is in ${app.adminKeyFile}\n`)
  }
  const actor = { kind: 'local' as const, id: userName(), role: config.role }
  const request_id = makeId('request', Date.now(), 0, 0)
  const from = { via: 'cli' as const, ip: null, client: null, request_id }
  return {
    address: null,
    close: app.close,
    async call(operation, input, secret) {
      if (operation.credential !== undefined) return invokeWithPassword(app.core, from, operation, input)
      const holder = secret === undefined ? actor : await authenticate(app.core.verifier, secret, null)
      return invoke(app.core, { ...from, actor: holder }, operation, input)
    },
  }
}

/** This program as a client would start it: by absolute paths, since clients know little of the user's shell. */
function launch({ data_dir, location, secret }: Config): Launch {
  const script = process.argv[1] ?? 'tokenwright'
  const ours = /[\\/]_npx[\\/]/.test(script)
    ? { command: 'npx', args: ['-y', 'tokenwright'] }
    : { command: process.execPath, args: [...process.execArgv, script] }
  const data = data_dir === platformFolder() ? [] : ['--data', data_dir]
  const needs = [
    ...(/^postgres/.test(location) ? ['TOKENWRIGHT_DATABASE_URL'] : []),
    ...(secret === undefined ? [] : ['TOKENWRIGHT_SECRET']),
  ]
  return { command: ours.command, args: [...ours.args, 'stdio', ...data], needs }
}
