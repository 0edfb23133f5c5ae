import { Argument, type Command } from 'commander'
import { type ClientName, clientNames, httpSnippet, stdioSnippet } from '../clients.ts'
import { addProcessFlags, processFlagsOf } from '../process-flags.ts'
import type { World } from '../world.ts'

/** `client-config <client> [--http]`: the snippet on standard output, where it goes on standard error. */
export function clientConfigCommand(root: Command, world: World): void {
  const command = root
    .command('client-config')
    .summary('Prints the configuration that adds it to a client')
    .description(
      'Prints what to paste into the configuration of a client. The key of the HTTP form is never in it.',
    )
    .addArgument(new Argument('<client>', 'the client').choices(clientNames))
    .option('--http', 'call a running server instead of starting one')
  addProcessFlags(command, world, 'command')
  command.action((client: ClientName) => {
    const { stdout, stderr } = world.terminal
    const given = command.optsWithGlobals()
    const { address, ...launch } = world.launch(processFlagsOf(world, given))
    const { text, hint } =
      given['http'] === true ? httpSnippet(client, address) : stdioSnippet(client, launch)
    stderr.write(`# ${hint}\n`)
    stdout.write(text)
  })
}
