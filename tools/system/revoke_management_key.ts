import { z } from 'zod'
import * as keys from '../../db/keys.ts'
import { endKey } from '../../src/core/ending.ts'
import { AppError, notFound } from '../../src/core/errors.ts'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { keyView, showKey } from '../../src/core/views/key.ts'

export const revoke_management_key = operation({
  name: 'revoke_management_key',
  title: 'Revoke a management key',
  description:
    'Ends a management key for good: it is refused from the next request on, everywhere. The tokens it made stay as they are. The last admin key that still works cannot be revoked; create another with create_management_key first.',
  input: z.strictObject({ key_id: id('key', 'Management key to revoke') }),
  output: z.object({ key: keyView, changed: z.boolean() }),
  permission: 'system:write',
  effect: 'destroy',
  faces: ['rest', 'cli'],
  idempotent: true,
  target: (input) => input.key_id,
  async run(ctx, { key_id }) {
    const key = await keys.find(ctx.db, ctx.scope, key_id)
    if (key === undefined) throw notFound('management key', key_id, 'list_management_keys shows the ids.')
    const admins = await keys.usableAdmins(ctx.db, ctx.now)
    if (admins.length === 1 && admins[0] === key_id) {
      throw new AppError(
        'conflict',
        'This is the last admin key that works. Create another with create_management_key first.',
        { entity: 'management key', id: key_id, reason: 'last_admin' },
      )
    }
    const revoked = await endKey(ctx, key_id)
    ctx.note({ name: key.name, role: key.role, changed: revoked !== undefined })
    return { key: showKey(revoked ?? key, ctx.now), changed: revoked !== undefined }
  },
})
