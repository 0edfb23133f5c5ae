import { z } from 'zod'
import * as groups from '../../db/groups.ts'
import { idOrName } from '../../src/core/fields.ts'
import { idsOnly, single } from '../../src/core/found.ts'
import { operation } from '../../src/core/operation.ts'
import { groupView, showGroup } from '../../src/core/views/group.ts'

export const get_group = operation({
  name: 'get_group',
  title: 'Get a group of servers',
  description:
    'Shows one group of MCP servers with the servers in it. Takes an id or an exact name; a deleted group is found by its id alone. Use list_groups to search, and list_magic_tokens with group_id to see which tokens are in it.',
  input: z.strictObject({ group_id: idOrName('group', 'Group') }),
  output: z.object({ group: groupView }),
  permission: 'groups:read',
  effect: 'read',
  target: (input) => input.group_id,
  async run(ctx, { group_id: id }) {
    const byId = await groups.find(ctx.db, id)
    const found = byId ? [byId] : idsOnly(ctx) ? [] : await groups.findNamed(ctx.db, id)
    const row = single(found, { entity: 'group', id, next: 'list_groups shows the ids.' })
    return { group: await showGroup(ctx, row) }
  },
})
