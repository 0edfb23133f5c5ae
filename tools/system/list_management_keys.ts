import { z } from 'zod'
import * as keys from '../../db/keys.ts'
import { cursor, limit, order } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { cut, pageOf } from '../../src/core/paging.ts'
import { keyView, showKey } from '../../src/core/views/key.ts'

export const list_management_keys = operation({
  name: 'list_management_keys',
  title: 'List management keys',
  description:
    'Lists the keys that call these operations, newest first, with role, project, addresses, expiry and last use; never a secret. Revoked keys are left out unless include_revoked asks. A key bound to a project sees the keys of that project only.',
  input: z.strictObject({
    include_revoked: z.boolean().default(false).describe('Show revoked keys as well.'),
    order,
    limit,
    cursor: cursor.optional(),
  }),
  output: z.object({
    keys: z.array(keyView),
    next_cursor: z.string().nullable().describe('Pass as cursor for the next page; null at the end.'),
  }),
  permission: 'system:read',
  effect: 'read',
  faces: ['rest', 'cli'],
  async run(ctx, input) {
    const found = await keys.list(
      ctx.db,
      ctx.scope,
      { include_revoked: input.include_revoked },
      pageOf(input),
    )
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    return { keys: rows.map((row) => showKey(row, ctx.now)), next_cursor }
  },
})
