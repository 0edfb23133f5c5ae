import { z } from 'zod'
import * as groups from '../../db/groups.ts'
import { anyIds } from '../../src/core/access.ts'
import { id, idList } from '../../src/core/fields.ts'
import { live } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { existingServers } from '../../src/core/token-state.ts'
import { groupView, showGroup } from '../../src/core/views/group.ts'

export const add_group_servers = operation({
  name: 'add_group_servers',
  title: 'Add servers to a group',
  description:
    'Puts MCP servers into a group, so that every token in the group reaches them from the next request on. Servers that are in it already are left alone; one that does not exist refuses the whole call. Use update_token with access.servers to open a server to a single token.',
  input: z.strictObject({
    group_id: id('group', 'Group to change'),
    server_ids: idList('server', 'Server id').describe('Servers to put into it.'),
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
    const changed = await groups.addServers(ctx.db, group_id, await existingServers(ctx, server_ids))
    const row = changed ? await groups.update(ctx.db, group_id, { updated_at: ctx.now }) : group
    ctx.note({ server_ids, changed })
    return { group: await showGroup(ctx, row ?? group), changed }
  },
})
