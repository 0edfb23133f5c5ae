import type { Command } from 'commander'
import { secretFrom } from '../ask.ts'
import { operationNamed } from '../catalog.ts'
import { addCommonFlags, runOperation } from '../operation-command.ts'
import type { World } from '../world.ts'

/** `claim`: the secret behind a one-time code, read without echo or from standard input (security R7). */
export function claimCommand(root: Command, world: World): void {
  const operation = operationNamed('redeem_link')
  const command = root
    .command('claim')
    .summary('Shows the secret behind a one-time code, once')
    .description(
      'Asks for the code of a one-time link or the address of a sign-in page, or reads it from standard input, and shows the secret once.',
    )
  addCommonFlags(command, world, operation)
  command.action(async () => {
    const code = await secretFrom(world.terminal, 'code')
    // People paste the whole address as often as the code in it.
    const bare = code.replace(/^.*(#|\/hand-over\/)/, '').replace(/\?.*$/, '')
    await runOperation(world, operation, command.optsWithGlobals(), { code: bare })
  })
}
