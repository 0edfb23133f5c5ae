import { z } from 'zod'
import type { ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import type { Context } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { description, exactTexts, id, metadata, metadataText, name } from '../../src/core/fields.ts'
import { differing, live } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { serverView, showServer } from '../../src/core/views/server.ts'

export const update_server = operation({
  name: 'update_server',
  title: 'Update an MCP server',
  description:
    'Changes name, description or metadata of an MCP server; id and slug stay, so its address does too. Members that are absent stay. What it runs or calls is set with set_server_upstream, and who may use it with update_token and add_group_servers.',
  input: z.strictObject({
    server_id: id('server', 'Server to change'),
    name: name.nullable().optional().describe('New name; null removes it.'),
    description: description.nullable().optional().describe('New description; null removes it.'),
    metadata: metadata.optional(),
  }),
  output: z.object({ server: serverView, changed: z.boolean() }),
  dialect: { input: exactTexts },
  permission: 'servers:write',
  effect: 'change',
  idempotent: true,
  target: (input) => input.server_id,
  async run(ctx, { server_id, name, description, ...rest }) {
    refuseBound(ctx)
    const found = await servers.find(ctx.db, ctx.scope, server_id)
    const server = live(found, { entity: 'server', id: server_id, next: 'list_servers shows the others.' })
    const changes = differing(server, { name, description, metadata: metadataText(rest) })
    if (changes.name !== undefined) await refuseTaken(ctx, server, changes.name)
    const changed = Object.keys(changes).length > 0
    const row = changed
      ? await servers.update(ctx.db, ctx.scope, server_id, { ...changes, updated_at: ctx.now })
      : server
    ctx.note({ changed: Object.keys(changes), ...(changes.name === undefined ? {} : { name: changes.name }) })
    return { server: showServer(row ?? server), changed }
  },
})

/** Names are unique within a configuration, and each server in one has a name. */
async function refuseTaken(ctx: Context, { id, config_id }: ServerRow, name: string | null): Promise<void> {
  if (config_id === null) return
  const problem =
    name === null || name === ''
      ? 'A server of a configuration needs a name.'
      : (await servers.findInConfig(ctx.db, config_id, name)) &&
        'Another server of the same configuration has this name.'
  if (problem !== undefined)
    throw new AppError('conflict', `${problem} Choose a name; get_config shows those there are.`, {
      entity: 'server',
      id,
      field: 'name',
    })
}
