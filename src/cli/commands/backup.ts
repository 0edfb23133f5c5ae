import { resolve } from 'node:path'
import type { Command } from 'commander'
import { backupText } from '../../core/backup.ts'
import { AppError } from '../../core/errors.ts'
import { writePrivately } from '../../core/private-file.ts'
import type { Backup } from '../../domain/backup.ts'
import { operationNamed } from '../catalog.ts'
import { addCommonFlags, callOperation } from '../operation-command.ts'
import { printAnswer } from '../print.ts'
import type { World } from '../world.ts'

/** `backup [file|-]`: a private file wherever the owner of the machine wants it, or the document on standard output. */
export function backupCommand(root: Command, world: World): void {
  const operation = operationNamed('create_backup')
  const command = root
    .command('backup')
    .argument('[file]', 'file to write it to; - prints it; without one it is put into the exports folder')
    .summary('Makes a backup while everything goes on')
    .description(
      'Writes a backup of the whole instance to a file that only you can read. It holds no secret and not the master key: keep secret.key apart from it, since a restore needs both.',
    )
  addCommonFlags(command, world, operation)
  command.action(async (file: string | undefined) => {
    const given = command.optsWithGlobals()
    const name = `backup-${new Date().toISOString().replace(/\D/g, '')}.json`
    const output = await callOperation(
      world,
      operation,
      given,
      file === undefined ? { output_file: name } : {},
    )
    const { backup } = output as { backup: Backup }
    if (file === '-') return print(world, backup)
    if (file !== undefined) await writeTo(resolve(file), backup)
    printAnswer(world.terminal, operation, { file: file ?? `exports/${name}` }, given['json'] === true)
  })
}

async function print({ terminal }: World, backup: Backup): Promise<void> {
  for await (const piece of backupText(backup)) {
    if (!terminal.stdout.write(piece)) await new Promise((free) => terminal.stdout.once('drain', free))
  }
}

async function writeTo(path: string, backup: Backup): Promise<void> {
  await writePrivately(path, backupText(backup)).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === undefined) throw cause
    throw new AppError('invalid_input', `The backup cannot be written there (${cause.code}).`, { cause })
  })
}
