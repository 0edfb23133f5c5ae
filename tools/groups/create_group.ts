import { z } from 'zod'
import * as groups from '../../db/groups.ts'
import { description, exactTexts, idList, metadata, metadataText, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { existingServers } from '../../src/core/token-state.ts'
import { groupView, showGroup } from '../../src/core/views/group.ts'
import { groupSlug } from '../../src/domain/slug.ts'

export const create_group = operation({
  name: 'create_group',
  title: 'Create a group of servers',
  description:
    'Creates a named group of MCP servers. Tokens put into it with add_groups or create_token reach its servers, and follow when servers join or leave the group. Use it when several tokens need the same servers; for a single token name the servers in its access instead.',
  input: z.strictObject({
    name: name.describe('Name of the group, such as "weather".'),
    description: description.optional().describe('Longer note for people.'),
    metadata: metadata.optional(),
    server_ids: idList('server', 'Server id').default([]).describe('Servers to put into it.'),
  }),
  output: z.object({ group: groupView }),
  dialect: { input: exactTexts },
  permission: 'groups:write',
  effect: 'create',
  target: (_, done) => done?.group.id,
  async run(ctx, input) {
    refuseBound(ctx)
    const serverIds = await existingServers(ctx, input.server_ids)
    const row = await groups.insert(ctx.db, {
      id: ctx.newId('group'),
      slug: groupSlug(input.name),
      name: input.name,
      description: input.description ?? null,
      metadata: metadataText(input) ?? '{}',
      created_at: ctx.now,
      updated_at: ctx.now,
      deleted_at: null,
    })
    await groups.addServers(ctx.db, row.id, serverIds)
    ctx.note({ name: input.name, server_ids: serverIds })
    return { group: await showGroup(ctx, row) }
  },
})
