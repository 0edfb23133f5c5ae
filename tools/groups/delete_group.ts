import { z } from 'zod'
import * as groups from '../../db/groups.ts'
import { id } from '../../src/core/fields.ts'
import { live } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { groupView, showGroup } from '../../src/core/views/group.ts'

export const delete_group = operation({
  name: 'delete_group',
  title: 'Delete a group of servers',
  description:
    'Deletes a group for good: it leaves every token and loses its servers, and its tokens stop reaching them from the next request on. No token gains anything: one whose last group is deleted reaches nothing. The servers and tokens themselves stay; use remove_groups to take out single tokens.',
  input: z.strictObject({ group_id: id('group', 'Group to delete') }),
  output: z.object({ group: groupView, changed: z.boolean() }),
  permission: 'groups:write',
  effect: 'destroy',
  target: (input) => input.group_id,
  async run(ctx, { group_id }) {
    refuseBound(ctx)
    const group = live(await groups.find(ctx.db, group_id), {
      entity: 'group',
      id: group_id,
      next: 'list_groups shows the others.',
    })
    const row = await groups.remove(ctx.db, group_id, ctx.now)
    ctx.note({ name: group.name })
    return { group: await showGroup(ctx, row ?? group), changed: row !== undefined }
  },
})
