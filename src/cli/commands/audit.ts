import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { operationNamed } from '../catalog.ts'
import { operationCommand } from '../operation-command.ts'
import type { World } from '../world.ts'

/** `audit verify|list`. */
export function auditCommands(root: Command, world: World): void {
  const audit = root.command('audit').description('Reads and proves the trail of what was done.')
  operationCommand(audit, world, operationNamed('verify_audit'), 'verify', refuseBroken)
  operationCommand(audit, world, operationNamed('list_audit_events'), 'list')
}

/** A script that only looks at the exit code must notice a trail that was changed. */
function refuseBroken(output: unknown): void {
  const { ok, first_bad_seq } = output as { ok: boolean; first_bad_seq: number | null }
  if (!ok) throw new AppError('conflict', `The trail does not fit its chain from row ${first_bad_seq} on.`)
}
