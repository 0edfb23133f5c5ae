import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { scanJson } from '../../domain/json-scan.ts'
import { wholeOf } from '../ask.ts'
import { operationNamed } from '../catalog.ts'
import { addCommonFlags, runOperation } from '../operation-command.ts'
import type { World } from '../world.ts'

/** `restore <file|->`: a backup of any size, from a file anywhere or standard input. */
export function restoreCommand(root: Command, world: World): void {
  const operation = operationNamed('restore_backup')
  const command = root
    .command('restore')
    .argument('<file>', 'backup to restore; - reads standard input')
    .summary('Puts a backup in the place of everything there is')
    .description(operation.description)
  addCommonFlags(command, world, operation)
  command.action(async (file: string) => {
    const data = documentIn(await bytesOf(world, file))
    await runOperation(world, operation, command.optsWithGlobals(), { data })
  })
}

async function bytesOf({ terminal }: World, file: string): Promise<Buffer> {
  if (file === '-') return Buffer.from(await wholeOf(terminal.stdin, Number.POSITIVE_INFINITY))
  return readFile(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new AppError('not_found', 'There is no such file.', { cause })
    throw new AppError('invalid_input', `The file cannot be read (${cause.code}).`, { cause })
  })
}

function documentIn(bytes: Buffer): unknown {
  const fits = scanJson(bytes, { depth: 32, members: Number.POSITIVE_INFINITY })
  try {
    if (fits === 'ok') return JSON.parse(bytes.toString())
  } catch {
    // Told below, without the text.
  }
  throw new AppError('invalid_input', 'The file holds no backup: it is not JSON.')
}
