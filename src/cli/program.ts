import { Command } from 'commander'
import { toolsets } from '../../tools/index.ts'
import { offered } from './catalog.ts'
import { auditCommands } from './commands/audit.ts'
import { backupCommand } from './commands/backup.ts'
import { claimCommand } from './commands/claim.ts'
import { clientConfigCommand } from './commands/client-config.ts'
import { generateMcpTokenCommand } from './commands/generate-mcp-token.ts'
import { keyCommands } from './commands/key.ts'
import { restoreCommand } from './commands/restore.ts'
import { scanCommand } from './commands/scan.ts'
import { settingsCommands } from './commands/settings.ts'
import { flagOf, operationCommand } from './operation-command.ts'
import { addProcessFlags, processFlagsOf } from './process-flags.ts'
import type { World } from './world.ts'

/** The command line: the two servers, the few commands that are more than one operation, and every operation. */
export function program(world: World): Command {
  const { stdout, stderr } = world.terminal
  const root = new Command('tokenwright')
    .description('Creates, scopes, rotates, checks and revokes the credentials of MCP servers.')
    .version(world.version, '--version', 'print the version')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => stdout.columns || 100,
    })
  root.commandsGroup('Run it:')
  server(root, world, 'serve', 'Serves MCP, REST and the pages over HTTP', world.serve)
  server(
    root,
    world,
    'stdio',
    'Serves MCP on standard input and output, for Claude, Cursor and others',
    world.stdio,
  )
  clientConfigCommand(root, world)
  root
    .command('version')
    .description('Prints the version.')
    .action(() => {
      stdout.write(`${world.version}\n`)
    })
  root.commandsGroup('Look after it:')
  keyCommands(root, world)
  settingsCommands(root, world)
  auditCommands(root, world)
  backupCommand(root, world)
  restoreCommand(root, world)
  claimCommand(root, world)
  generateMcpTokenCommand(root, world)
  scanCommand(root, world)
  for (const [name, set] of Object.entries(toolsets)) {
    root.commandsGroup(`${name.charAt(0).toUpperCase()}${name.slice(1)}:`)
    for (const operation of set.operations)
      if (offered(operation)) operationCommand(root, world, operation, flagOf(operation.name))
  }
  return root
}

function server(root: Command, world: World, mode: string, about: string, run: World['serve']): void {
  const command = root.command(mode).summary(about).description(`${about}.`)
  addProcessFlags(command, world, mode)
  command.action(() => run(processFlagsOf(world, command.optsWithGlobals())))
}
