import type { Command } from 'commander'
import { makeSecret } from '../../domain/secret.ts'
import { defaultSettings } from '../../domain/settings.ts'
import { operationNamed } from '../catalog.ts'
import { operationCommand } from '../operation-command.ts'
import type { World } from '../world.ts'

/** `key create|list|revoke|generate`: the management keys. */
export function keyCommands(root: Command, world: World): void {
  const key = root.command('key').description('Makes, lists and revokes management keys.')
  operationCommand(key, world, operationNamed('create_management_key'), 'create')
  operationCommand(key, world, operationNamed('list_management_keys'), 'list')
  operationCommand(key, world, operationNamed('revoke_management_key'), 'revoke')
  key
    .command('generate')
    .description('Prints a fresh secret for TOKENWRIGHT_ADMIN_KEY; nothing is stored.')
    .action(() => {
      world.terminal.stdout.write(`${makeSecret(defaultSettings.key_prefix)}\n`)
    })
}
