import { z } from 'zod'
import { makeBackup, writeBackup } from '../../src/core/backup.ts'
import { fileName } from '../../src/core/exports.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { isoTime } from '../../src/core/views/named.ts'
import type { Backup } from '../../src/domain/backup.ts'

export const create_backup = operation({
  name: 'create_backup',
  title: 'Make a backup',
  description:
    'Makes a backup of the whole instance while it goes on working, as one JSON document that restore_backup takes. It holds digests of secrets and sealed values, never a secret and not the master key, so keep secret.key apart from it. With output_file it is also written into the exports folder.',
  input: z.strictObject({
    output_file: fileName
      .optional()
      .describe('Name of a file in exports/ it is written to as well; an older one is replaced.'),
  }),
  output: z.object({
    backup: z
      .looseObject({ backup_version: z.literal(1), created_at: isoTime })
      .describe('The backup; what else is in it is for restore_backup alone.'),
    file: z.string().nullable().describe('The file in exports/ that holds it; null = none.'),
  }),
  short: z.object({ file: z.string().nullable() }),
  permission: 'system:write',
  effect: 'change',
  faces: ['rest', 'cli'],
  target: ({ output_file }) => output_file,
  async prepare(ctx) {
    refuseBound(ctx)
    return makeBackup(ctx)
  },
  async run(ctx, { output_file }, backup) {
    const rows = Object.entries(backup.tables).map(([name, table]) => [name, table.rows.length])
    ctx.note({ file: output_file ?? null, seq: backup.audit_head.seq, rows: Object.fromEntries(rows) })
    return { backup, file: output_file ?? null }
  },
  async deliver(ctx, done) {
    if (done.file !== null) await writeBackup(ctx.host, done.file, done.backup as unknown as Backup)
    return done
  },
})
