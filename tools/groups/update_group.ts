import { z } from 'zod'
import * as groups from '../../db/groups.ts'
import { description, exactTexts, id, metadata, metadataText, name } from '../../src/core/fields.ts'
import { differing, live } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { groupView, showGroup } from '../../src/core/views/group.ts'

export const update_group = operation({
  name: 'update_group',
  title: 'Update a group of servers',
  description:
    'Changes name, description or metadata of a group; its id and slug stay, and so does what its tokens reach. Members that are absent stay. Use add_group_servers and remove_group_servers for the servers in it, add_groups and remove_groups for its tokens.',
  input: z.strictObject({
    group_id: id('group', 'Group to change'),
    name: name.optional().describe('New name.'),
    description: description.optional().describe('New description; "" empties it.'),
    metadata: metadata.optional(),
  }),
  output: z.object({ group: groupView, changed: z.boolean() }),
  dialect: { input: exactTexts },
  permission: 'groups:write',
  effect: 'change',
  idempotent: true,
  target: (input) => input.group_id,
  async run(ctx, { group_id, name, description, ...rest }) {
    refuseBound(ctx)
    const group = live(await groups.find(ctx.db, group_id), {
      entity: 'group',
      id: group_id,
      next: 'list_groups shows the others.',
    })
    const changes = differing(group, { name, description, metadata: metadataText(rest) })
    const changed = Object.keys(changes).length > 0
    const row = changed ? await groups.update(ctx.db, group_id, { ...changes, updated_at: ctx.now }) : group
    ctx.note({ changed: Object.keys(changes), ...(changes.name === undefined ? {} : { name: changes.name }) })
    return { group: await showGroup(ctx, row ?? group), changed }
  },
})
