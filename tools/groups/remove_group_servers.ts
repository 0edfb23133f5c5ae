import { z } from 'zod'
import * as groups from '../../db/groups.ts'
import { anyIds } from '../../src/core/access.ts'
import { id, idList } from '../../src/core/fields.ts'
import { live } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { groupView, showGroup } from '../../src/core/views/group.ts'

export const remove_group_servers = operation({
  name: 'remove_group_servers',
  title: 'Remove servers from a group',
  description:
    'Takes MCP servers out of a group, so that its tokens stop reaching them from the next request on, unless they reach them in another way. Ids that are not in the group are ignored. A group without servers opens nothing; use delete_group to end the group itself.',
  input: z.strictObject({
    group_id: id('group', 'Group to change'),
    server_ids: idList('server', 'Server id').describe('Servers to take out of it.'),
  }),
  output: z.object({ group: groupView, changed: z.boolean() }),
  dialect: { input: z.object({ server_ids: anyIds }) },
  permission: 'groups:write',
  effect: 'change',
  idempotent: true,
  target: (input) => input.group_id,
  async run(ctx, { group_id, server_ids }) {
    refuseBound(ctx)
    const group = live(await groups.find(ctx.db, group_id), {
      entity: 'group',
      id: group_id,
      next: 'list_groups shows the others.',
    })
    const changed = await groups.removeServers(ctx.db, group_id, server_ids)
    const row = changed ? await groups.update(ctx.db, group_id, { updated_at: ctx.now }) : group
    ctx.note({ server_ids, changed })
    return { group: await showGroup(ctx, row ?? group), changed }
  },
})
