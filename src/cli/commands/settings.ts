import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { readText, textMembers } from '../../core/text-input.ts'
import { settingsSchema } from '../../domain/settings.ts'
import { operationNamed } from '../catalog.ts'
import { addCommonFlags, operationCommand, runOperation } from '../operation-command.ts'
import { pad, wrap } from '../text.ts'
import type { World } from '../world.ts'

/** `settings get` and `settings set <name> <value>`: the policy that binds every process on the store (security R19). */
export function settingsCommands(root: Command, world: World): void {
  const settings = root.command('settings').description('Shows and changes the policy of this store.')
  operationCommand(settings, world, operationNamed('get_settings'), 'get')
  const operation = operationNamed('update_settings')
  const columns = world.terminal.stdout.columns || 100
  const names = textMembers(settingsSchema).map(({ name, description }) => listed(name, description, columns))
  const set = settings
    .command('set')
    .argument('<name>', 'setting')
    .argument('<value...>', 'its new value; null where it may have none; several words or a,b for a list')
    .description(operation.description)
    .addHelpText('after', `\nSettings:\n${names.join('\n')}`)
  addCommonFlags(set, world, operation)
  set.action(async (name: string, values: string[]) => {
    await runOperation(world, operation, set.optsWithGlobals(), { [name]: settingValue(name, values) })
  })
}

/** A setting and what it does, beside each other. */
function listed(name: string, description: string, columns: number): string {
  const column = 29
  const [first = '', ...more] = wrap(description, Math.max(20, columns - column))
  return [`  ${pad(name, column - 2)}${first}`, ...more.map((line) => `${' '.repeat(column)}${line}`)].join(
    '\n',
  )
}

function settingValue(name: string, texts: readonly string[]): unknown {
  const members = textMembers(settingsSchema)
  const member = members.find((one) => one.name === name)
  if (member !== undefined)
    return readText(member, member.list ? texts.flatMap((text) => text.split(',')) : texts)
  const known = members.map((one) => one.name).join(', ')
  throw new AppError('invalid_input', `There is no setting of that name; there are ${known}.`, {
    field: 'name',
  })
}
