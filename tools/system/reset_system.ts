import { z } from 'zod'
import * as audit from '../../db/audit.ts'
import { makeBackup, writeBackup } from '../../src/core/backup.ts'
import { AppError } from '../../src/core/errors.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { clearInstance } from '../../src/core/restore.ts'

export const reset_system = operation({
  name: 'reset_system',
  title: 'Reset the instance',
  description:
    'Removes all users, projects, configurations, servers, groups, tokens and other management keys, and puts nothing in their place; the calling key, the settings and the trail stay. A backup is written into the exports folder first: restore_backup with that file brings everything back.',
  input: z.strictObject({
    confirm: z.literal(true).describe('true, to say that it is meant.'),
  }),
  output: z.object({ snapshot_file: z.string().describe('The file in exports/ with what there was.') }),
  permission: 'system:write',
  effect: 'destroy',
  faces: ['rest', 'cli'],
  target: (_, done) => done?.snapshot_file,
  async prepare(ctx) {
    refuseBound(ctx)
    const backup = await makeBackup(ctx)
    const file = `reset-${ctx.now.replace(/\D/g, '')}.json`
    await writeBackup(ctx.host, file, backup)
    return { file, head: backup.audit_head }
  },
  async run(ctx, _, { file, head }) {
    const { seq, row_hmac } = await audit.head(ctx.db)
    // What was made after the snapshot would be lost for good.
    if (seq !== head.seq || row_hmac.toString('hex') !== head.row_hmac) {
      throw new AppError('conflict', 'Something was changed while the snapshot was written. Try again.', {
        reason: 'race',
      })
    }
    const kept = await clearInstance(ctx)
    ctx.note({ seq, kept: kept.map(({ id }) => id) })
    return { snapshot_file: file }
  },
})
