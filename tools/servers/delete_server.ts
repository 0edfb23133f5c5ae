import { z } from 'zod'
import * as servers from '../../db/servers.ts'
import { id } from '../../src/core/fields.ts'
import { live } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { serverView, showServer } from '../../src/core/views/server.ts'

export const delete_server = operation({
  name: 'delete_server',
  title: 'Delete an MCP server',
  description:
    'Deletes an MCP server for good: it leaves every group, every token and its configuration, and is refused from the next request on. No token gains anything by it, and the slug is not given out again. Use remove_group_servers or update_token to close it to some tokens only.',
  input: z.strictObject({ server_id: id('server', 'Server to delete') }),
  output: z.object({ server: serverView, changed: z.boolean() }),
  permission: 'servers:write',
  effect: 'destroy',
  target: (input) => input.server_id,
  async run(ctx, { server_id }) {
    refuseBound(ctx)
    const found = await servers.find(ctx.db, ctx.scope, server_id)
    const server = live(found, { entity: 'server', id: server_id, next: 'list_servers shows the others.' })
    const row = await servers.remove(ctx.db, ctx.scope, server_id, ctx.now)
    ctx.note({ name: server.name, slug: server.slug })
    return { server: showServer(row ?? server), changed: row !== undefined }
  },
})
