import { z } from 'zod'
import * as audit from '../../db/audit.ts'
import * as meta from '../../db/meta.ts'
import { checkBackup } from '../../src/core/backup-check.ts'
import type { Context } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { fileName, readExport } from '../../src/core/exports.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { masterFact } from '../../src/core/master-key.ts'
import { operation } from '../../src/core/operation.ts'
import { restore } from '../../src/core/restore.ts'
import type { Backup } from '../../src/domain/backup.ts'

/** Bytes of the largest backup that is read from the exports folder: what a reset wrote there must come back. */
const largestFile = 256 * 1024 * 1024

export const restore_backup = operation({
  name: 'restore_backup',
  title: 'Restore a backup',
  description:
    'Puts a backup made by create_backup in the place of everything there is now, all or nothing: what was made after it is gone. What was revoked, deleted or rotated away since stays dead, and the calling key, the settings and the trail stay. The instance needs the master key of the one that made it.',
  input: z.strictObject({
    input_file: fileName.optional().describe('File in exports/ that holds the backup, instead of data.'),
    data: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('The backup itself, as create_backup answered it, instead of input_file.'),
  }),
  output: z.object({
    restored: z
      .object({
        users: z.int(),
        projects: z.int(),
        configs: z.int(),
        servers: z.int(),
        groups: z.int(),
        tokens: z.int(),
        user_keys: z.int(),
        management_keys: z.int(),
      })
      .describe('How many that live came back; what stays dead is not counted.'),
    revoked_since: z.int().describe('Tokens and keys that came back revoked, as they were ended since.'),
    note: z.string(),
  }),
  permission: 'system:write',
  effect: 'destroy',
  faces: ['rest', 'cli'],
  large: true,
  target: ({ input_file }) => input_file,
  async prepare(ctx, { input_file, data }) {
    refuseBound(ctx)
    const document = await documentOf(ctx, input_file, data)
    return checkBackup(ctx, document, (await meta.get(ctx.db, masterFact)) ?? '')
  },
  async run(ctx, _, backup) {
    const { restored, revoked_since, passwords_ended } = await restore(ctx, backup)
    const { created_at, audit_head } = backup
    const counts = { restored, revoked_since, passwords_ended }
    ctx.note({ created_at, seq: audit_head.seq, ...counts, commands: commandsOf(backup) })
    return { restored, revoked_since, note: await noteOf(ctx, backup) }
  },
})

async function documentOf(ctx: Context, file: string | undefined, data: unknown): Promise<unknown> {
  if ((file === undefined) === (data === undefined)) {
    throw new AppError('invalid_input', 'Give input_file or data, and not both.', {
      field: 'input_file',
      reason: 'backup',
    })
  }
  return file === undefined ? data : readExport(ctx.host, file, 'input_file', largestFile)
}

/** Programs that servers would run are code, so the trail says which came in (security R34). */
function commandsOf({ tables }: Backup): Record<string, unknown> {
  const { columns, rows } = tables.servers
  const [id, command, args, deleted_at] = ['id', 'command', 'args', 'deleted_at'].map((name) =>
    columns.indexOf(name),
  )
  const running = rows.filter((row) => row[command ?? -1] !== null && row[deleted_at ?? -1] === null)
  return Object.fromEntries(
    running.map((row) => [row[id ?? -1], [row[command ?? -1], ...JSON.parse(String(row[args ?? -1]))]]),
  )
}

/** Whose revocations are known: those of an instance that made the backup itself are all there. */
async function noteOf(ctx: Context, { audit_head: { seq, row_hmac } }: Backup): Promise<string> {
  return (await audit.holds(ctx.db, { seq, row_hmac: Buffer.from(row_hmac, 'hex') }))
    ? 'Secrets that were revoked, deleted or rotated away after the backup stay dead; who had a password that was replaced since gets a new one by reset_password.'
    : 'The backup was made by another instance, and what that one revoked later is not known here: only what the backup itself knows to be dead is dead.'
}
